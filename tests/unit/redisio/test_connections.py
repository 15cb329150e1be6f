"""Which URLs name a Redis, and how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from redis.asyncio import SSLConnection

from scoreboard.errors import ConfigurationError
from scoreboard.redisio.address import MALFORMED, Tls, parse
from scoreboard.redisio.topologies import topology_at


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("redis://host", 0),
        ("redis://host/", 0),
        ("rediss://user:word@host:6380/15", 15),
        ("redis://host?db=3", 3),
        ("unix:///run/redis.sock", 0),
        ("unix:///run/redis.sock?db=7", 7),
        ("redis+sentinel://host/main?db=3", 3),
    ],
)
def test_the_database_is_the_one_that_the_url_names(url: str, database: int) -> None:
    client = topology_at(url).client(timeout=1.0)
    assert client.connection_pool.connection_kwargs.get("db", 0) == database


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("redis://host", [("host", 6379)]),
        ("redis://[::1]:7000/0", [("::1", 7000)]),
        ("redis+sentinel://a,b:1,[::1]/main", [("a", 26379), ("b", 1), ("::1", 26379)]),
        ("rediss+cluster://:word@a,b:1", [("a", 6379), ("b", 1)]),
        ("redis+cluster://[::1]:7000/0", [("::1", 7000)]),
    ],
)
def test_the_servers_that_are_asked_are_those_that_the_url_names(
    url: str, places: list[tuple[str, int]]
) -> None:
    assert list(parse(url).places) == places


def test_sentinels_have_their_own_names_and_passwords_and_the_same_tls() -> None:
    address = parse(
        "rediss+sentinel://score:w%40rd@a,b/main?sentinel_username=s&sentinel_password=t"
    )
    assert (address.form, address.service) == ("sentinel", "main")
    assert (address.options["username"], address.options["password"]) == ("score", "w@rd")
    assert (address.of_sentinels["username"], address.of_sentinels["password"]) == ("s", "t")
    assert address.options["connection_class"] is SSLConnection
    assert address.of_sentinels["connection_class"] is SSLConnection


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter@host/abc",  # redis-py would take database 0
        "redis://:hunter@host/1/2",  # and here 12
        "redis://:hunter@host/-1",
        "redis://:hunter@host/+1",
        "redis://:hunter@host/1_0",
        "redis://:hunter@host/4294967296",
        "redis://:hunter@host?db=-1",
        "redis://:hunter@host?db=one",
        "redis://:hunter@host/0?no_such_option=1",
        "redis://:hunter@host:port/0",
        "rediss://:hunter@host/0?ssl_cert_reqs=perhaps",
        "http://:hunter@host/0",
        "redis+sentinel://:hunter@host",  # no service
        "redis+sentinel://:hunter@host/main/2",
        "redis+sentinel://:hunter@host,/main",
        "redis+sentinel://:hunter@host:0/main",
        "redis+sentinel://:hunter@host/main?no_such_option=1",
        "redis+cluster://:hunter@",
        "redis+cluster://:hunter@host/0?no_such_option=1",
        "redis+other://:hunter@host/main",
        "unix+sentinel://:hunter@host/main",
    ],
)
def test_what_is_no_url_of_a_redis_is_told_in_one_line_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        topology_at(url)
    assert told.value.detail == f"SCOREBOARD_REDIS_URL {MALFORMED}"
    assert "hunter" not in told.value.detail


@pytest.mark.parametrize("url", ["redis+cluster://host/1", "redis+cluster://host?db=1"])
def test_a_cluster_has_no_other_database_than_0(url: str) -> None:
    with pytest.raises(ConfigurationError, match="names a database, but a cluster has only one, 0"):
        topology_at(url)


def test_settings_of_tls_want_a_url_with_tls() -> None:
    with pytest.raises(ConfigurationError, match="asks for no TLS"):
        parse("redis://host", Tls(ca="ca.pem"))


def test_a_file_of_tls_that_is_not_there_is_an_error_of_the_settings(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, reason in {tmp_path / "none.pem": "No such file", pipe: "it is a pipe"}.items():
        for tls in (Tls(ca=str(path)), Tls(cert=str(path)), Tls(key=str(path))):
            with pytest.raises(ConfigurationError, match=f"_TLS_[A-Z]+: can't read .*{reason}"):
                parse("rediss://host", tls)
    with pytest.raises(ConfigurationError, match=r"TLS_CERT.*more than"):
        parse("rediss://host", Tls(cert="/dev/zero"))
