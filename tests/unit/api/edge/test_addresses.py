"""Whose share a connection or a request counts against."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from scoreboard.api.edge.addresses import Addresses, Shares
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings

TRUSTED = Settings().trusted_proxies
PROXY = ("10.0.0.7", 4711)
PLAYER = ("203.0.113.5", 4711)


def share(peer: tuple[str, int], *headers: tuple[str, str], header: str = "") -> str:
    transport = Mock()
    transport.get_extra_info.return_value = peer
    request = make_mocked_request("GET", "/", dict(headers), transport=transport)
    return Addresses(TRUSTED, header).of(request)


@pytest.mark.parametrize(
    ("address", "of_whom"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        *((trusted, "") for trusted in ("127.0.0.1", "::1", "10.1.2.3", "fd00::1", "fe80::1%eth0")),
        ("::ffff:127.0.0.1", ""),
    ],
)
def test_a_peer_counts_by_its_address_or_its_network_unless_it_is_trusted(
    address: str, of_whom: str
) -> None:
    assert share((address, 1)) == of_whom
    assert Addresses(TRUSTED, "").of_peer("") == "", "a Unix socket has no address"


@pytest.mark.parametrize(
    ("header", "value", "client"),
    [
        ("X-Forwarded-For", "203.0.113.9", "203.0.113.9"),
        ("X-Forwarded-For", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.0.0.8", "203.0.113.9"),
        ("X-Forwarded-For", "203.0.113.9:55555", "203.0.113.9"),
        ("X-Forwarded-For", "2001:db8:1:2::5", "2001:db8:1:2::/64"),
        ("X-Forwarded-For", "[2001:db8:1:2::5]:443", "2001:db8:1:2::/64"),
        ("X-Real-IP", "203.0.113.9", "203.0.113.9"),
        ("Forwarded", "for=198.51.100.1, for=203.0.113.9;proto=https;by=10.0.0.8", "203.0.113.9"),
        ("Forwarded", 'proto=https;For="[2001:db8:1:2::5]:443"', "2001:db8:1:2::/64"),
        ("X-Forwarded-For", "10.0.0.9", ""),
        ("X-Forwarded-For", "unknown", ""),
        ("X-Forwarded-For", "", ""),
    ],
)
def test_a_trusted_proxy_is_believed_as_far_as_its_own_words_go(
    header: str, value: str, client: str
) -> None:
    assert share(PROXY, (header, value), header=header) == client


def test_nobody_else_is_believed_and_no_other_header_is_read() -> None:
    forged = ("X-Forwarded-For", "198.51.100.1")

    assert share(PLAYER, forged, header="X-Forwarded-For") == PLAYER[0]
    assert share(PROXY, forged) == ""
    assert share(PROXY, forged, header="X-Real-IP") == ""


def test_a_list_of_proxies_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"SCOREBOARD_TRUSTED_PROXIES.*10\.0\.0\.0/40"):
        Addresses("127.0.0.1, 10.0.0.0/40", "")


def test_a_share_is_what_one_address_may_take_and_gives_back() -> None:
    shares = Shares(2)

    assert [shares.take("a") for _ in range(3)] == [True, True, False]
    assert shares.take("b")
    assert all(shares.take("") for _ in range(10))
    shares.give_back("a")
    assert [shares.take("a") for _ in range(2)] == [True, False]
