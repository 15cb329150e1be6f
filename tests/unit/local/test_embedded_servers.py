"""Ports for servers of our own."""

from __future__ import annotations

from scoreboard.local.embedded_servers import free_port


def test_no_port_is_given_twice_before_anybody_listens_on_it() -> None:
    assert len({free_port() for _ in range(500)}) == 500
