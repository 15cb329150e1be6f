"""The limits in the proxies' files fit those of the service, as it comes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scoreboard.api.edge.http_connection import KEEPALIVE
from scoreboard.settings import Settings

DEPLOY = Path(__file__).parents[3] / "deploy"
DEFAULTS = Settings()


def value(file: str, pattern: str) -> int:
    """The number that ``pattern`` finds in the file."""
    found = re.search(pattern, (DEPLOY / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, pattern
    return int(found[1])


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("nginx.conf", r"^ *proxy_read_timeout (\d+)s;"),
        ("haproxy.cfg", r"^ *timeout tunnel (\d+)s"),
    ],
)
def test_a_quiet_websocket_has_two_heartbeats_before_it_is_cut(file: str, pattern: str) -> None:
    assert value(file, pattern) > 2 * DEFAULTS.heartbeat


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("nginx.conf", r"^ *keepalive_timeout (\d+)s;"),
        ("Caddyfile", r"^\s*keepalive (\d+)s"),
    ],
)
def test_the_proxy_ends_idle_connections_before_the_service_does(file: str, pattern: str) -> None:
    assert value(file, pattern) < KEEPALIVE


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("nginx.conf", r"^ *client_max_body_size (\d+)m;"),
        ("Caddyfile", r"^\s*max_size (\d+)MiB"),
    ],
)
def test_a_body_may_be_as_large_as_the_service_takes(file: str, pattern: str) -> None:
    assert value(file, pattern) << 20 == DEFAULTS.max_body_bytes


@pytest.mark.parametrize(
    ("file", "pattern", "seconds"),
    [
        ("nginx.conf", r"^ *client_header_timeout (\d+)s;", DEFAULTS.header_timeout),
        ("nginx.conf", r"^ *client_body_timeout (\d+)s;", DEFAULTS.body_timeout),
        ("haproxy.cfg", r"^ *timeout http-request (\d+)s", DEFAULTS.header_timeout),
    ],
)
def test_slow_senders_have_as_long_as_with_the_service(
    file: str, pattern: str, seconds: float
) -> None:
    assert value(file, pattern) == seconds


@pytest.mark.parametrize(
    ("alert", "limit", "share"),
    [
        ("scoreboard_websocket_connections", DEFAULTS.max_connections, 0.8),
        (r"max by \(partition\) \(scoreboard_backlog_events\)", DEFAULTS.backlog_limit, 0.5),
    ],
)
def test_alerts_on_settings_go_by_what_these_are_without_being_set(
    alert: str, limit: int, share: float
) -> None:
    assert value("prometheus/rules.yml", rf"expr: {alert} > (\d+)$") == share * limit
