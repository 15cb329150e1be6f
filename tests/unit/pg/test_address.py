"""What a URL of Postgres says: every option counts, or is refused in one line."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.pg.address import MIGRATION_URL, parse

SECRET = "s3cret"
BASE = f"postgresql://joe:{SECRET}@db.example:5433/scores"


def option(url: str, name: int) -> int | None:
    found = [value for level, n, value in parse(url).socket_options if (level, n) == (6, name)]
    return found[0] if found else None


def test_a_plain_url_stays_as_it_is() -> None:
    address = parse(BASE)
    assert address.urls == [BASE]
    assert (address.given, address.connect_timeout) == (frozenset(), None)


def test_a_silent_peer_is_given_up_within_ten_seconds_unless_the_url_says_otherwise() -> None:
    idle, every, count = (
        option(BASE, name)
        for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    )
    assert idle is not None
    assert every is not None
    assert count is not None
    assert idle + every * count < 10
    assert (option(BASE, socket.TCP_USER_TIMEOUT) or 0) < 10_000
    own = f"{BASE}?keepalives_idle=40&keepalives_interval=7&keepalives_count=9&tcp_user_timeout=99"
    assert option(own, socket.TCP_KEEPIDLE) == 40
    assert option(own, socket.TCP_KEEPINTVL) == 7
    assert option(own, socket.TCP_KEEPCNT) == 9
    assert option(own, socket.TCP_USER_TIMEOUT) == 99
    off = f"{BASE}?keepalives=0&tcp_user_timeout=0"
    assert parse(off).socket_options == []


def test_options_of_libpq_are_not_passed_on_to_the_server() -> None:
    address = parse(
        f"{BASE}?connect_timeout=7&channel_binding=prefer&gssencmode=disable&keepalives=1"
        "&application_name=game&statement_timeout=5000"
    )
    assert address.connect_timeout == 7
    assert address.given == {"application_name", "statement_timeout"}
    assert "channel_binding" not in address.urls[0]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("channel_binding=require", "channel_binding=require: expected prefer or disable"),
        ("gssencmode=require", "gssencmode=require"),
        ("connect_timeout=soon", "connect_timeout=soon: expected a whole number"),
        ("keepalives_idle=32768", "keepalives_idle=32768: expected a whole number up to 32767"),
        ("keepalives_count=128", "keepalives_count=128: expected"),
        ("tcp_user_timeout=9999999999", "tcp_user_timeout=9999999999: expected"),
        ("keepalives_idle=-1", "keepalives_idle=-1: expected a whole number"),
        ("sslmode=verify-full&sslrootcert=/no/such.crt", "sslrootcert=/no/such.crt: .*No such"),
        ("sslmode=verify-full&sslcrl=/dev/zero", "sslcrl=/dev/zero: .*more than"),
        ("target_session_attrs=standby", "target_session_attrs=standby finds a server that takes"),
        ("load_balance_hosts=maybe", "load_balance_hosts=maybe: expected one of disable, random"),
    ],
)
def test_what_can_not_be_honoured_is_refused_by_name(options: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        parse(f"{BASE}?{options}")
    assert SECRET not in refused.value.detail
    assert refused.value.detail.startswith("SCOREBOARD_DATABASE_URL")


def test_a_certificate_that_comes_through_a_pipe_is_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigurationError, match="fifo: expected a file"):
        parse(f"{BASE}?sslmode=verify-full&sslrootcert={tmp_path / 'fifo'}")


@pytest.mark.parametrize(
    "url", ["", "mysql://a/b", "postgresql://[::1/x", f"{BASE}?sslmode", "not a url", "postgres"]
)
def test_what_is_no_url_of_postgres_is_said_to_be_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{MIGRATION_URL} is no Postgres URL") as refused:
        parse(url, variable=MIGRATION_URL)
    assert SECRET not in refused.value.detail


@pytest.mark.parametrize("port", ["65536", "0", "-1", "5432x", "9" * 5000])
@pytest.mark.parametrize(
    "url", ["//u:{0}@a:{1}/d", "//u:{0}@a,b:{1}/d", "//u:{0}@/d?host=a&port={1}"]
)
def test_a_port_that_cannot_be_is_refused_by_the_form_alone(url: str, port: str) -> None:
    with pytest.raises(ConfigurationError, match="where port is 1 to 65535") as refused:
        parse("postgresql:" + url.format(SECRET, port))
    assert SECRET not in refused.value.detail
    assert port not in refused.value.detail.replace("65535", "")


def test_two_ports_for_three_hosts_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="one for each of the hosts"):
        parse("postgresql:///d?host=a,b,c&port=1,2")


def test_several_hosts_are_tried_one_after_another_for_one_that_takes_writes() -> None:
    address = parse("postgresql://joe@one:5433,two,[::1]:5434/scores")
    assert address.urls == [
        "postgresql://joe@one:5433/scores?target_session_attrs=read-write",
        "postgresql://joe@two/scores?target_session_attrs=read-write",
        "postgresql://joe@[::1]:5434/scores?target_session_attrs=read-write",
    ]
    address.prefer(address.urls[1])
    assert address.urls[0].startswith("postgresql://joe@two/")


def test_a_python_that_takes_one_host_in_brackets_at_most_reads_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def strict(url: str) -> SplitResult:
        if "," in url.partition("://")[2].partition("/")[0] and "[" in url:
            raise ValueError("Invalid IPv6 URL")
        return urlsplit(url)

    monkeypatch.setattr("scoreboard.pg.address.urlsplit", strict)
    assert [
        url.partition("?")[0]
        for url in parse("postgresql://joe:p@[::1]:1,[::2]/s?sslmode=disable").urls
    ] == [
        "postgresql://joe:p@[::1]:1/s",
        "postgresql://joe:p@[::2]/s",
    ]


@pytest.mark.parametrize("hosts", ["[::1", "one,[::1", "[::1],one]", "[::1,::2]"])
def test_a_bracket_without_its_other_half_is_refused(hosts: str) -> None:
    with pytest.raises(ConfigurationError, match="is no Postgres URL"):
        parse(f"postgresql://joe@{hosts}/s")


def test_hosts_and_ports_may_be_named_by_options() -> None:
    assert parse("postgresql:///scores?host=/run/postgresql&port=5433").urls == [
        "postgresql:///scores?host=%2Frun%2Fpostgresql&port=5433"
    ]
    assert [url.partition("?")[0] for url in parse("postgresql:///s?host=a,b&port=1,2").urls] == [
        "postgresql://a:1/s",
        "postgresql://b:2/s",
    ]


def test_the_systems_own_certificates_may_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificates = tmp_path / "all.crt"
    certificates.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    address = parse(f"{BASE}?sslmode=verify-full&sslrootcert=system")
    assert "all.crt" in address.urls[0]
