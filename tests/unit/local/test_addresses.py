"""Where `up` listens, and from which pages it is used."""

from __future__ import annotations

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.local.addresses import own_hosts, own_origins, reachable, usable_port


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("localhost", "localhost:80"),
        ("0.0.0.0", "127.0.0.1:80"),
        ("::", "[::1]:80"),
        ("::1", "[::1]:80"),
    ],
)
def test_every_host_is_reached_by_some_url(host: str, authority: str) -> None:
    assert reachable(host, 80) == authority
    assert f"http://{authority}" in own_origins(host, 80).split(",")


def test_only_on_every_address_a_page_may_come_from_the_host_it_asked() -> None:
    assert own_origins("127.0.0.1", 8080) == (
        "http://localhost:8080,http://127.0.0.1:8080,http://[::1]:8080"
    )
    assert own_origins("::", 8080).endswith(",self")


def test_a_name_given_as_host_is_one_of_its_names() -> None:
    assert "games.example" in own_hosts("Games.example").split(",")
    assert "localhost" in own_hosts("127.0.0.1").split(",")
    assert "127.0.0.1" not in own_hosts("127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "localhost"])
def test_a_free_port_is_found_on_any_host(host: str) -> None:
    assert usable_port(host, 0) > 1023


def test_a_host_that_is_not_this_machines_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"port 8080 of 192\.0\.2\.1 .*make run HOST="):
        usable_port("192.0.2.1", 8080)
