"""Waiting for a client that reads, without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from scoreboard.api.edge import http_connection
from scoreboard.api.edge.admission import Admission
from scoreboard.api.edge.http_connection import HttpConnection
from scoreboard.telemetry.sparing_log import SparingLog


class Clock:
    """A loop whose timers a test lets run out."""

    def __init__(self) -> None:
        self.timers: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def call_later(self, _: float, call: Callable[..., None], *arguments: Any) -> Mock:
        self.timers.append((call, arguments))
        return Mock()

    def run_out(self) -> None:
        call, arguments = self.timers.pop()
        call(*arguments)


def paused() -> tuple[HttpConnection, Mock, Clock]:
    """A connection with 90 KB that wait to be read, its transport, and its clock."""
    clock = Clock()
    server = Mock(spec=web.Server, request_handler=Mock(), request_factory=Mock())
    loop: Any = clock
    connection = HttpConnection(
        server, Mock(spec=Admission), loop=loop, header_timeout=1, write_timeout=1
    )
    transport = Mock()
    transport.get_write_buffer_size.return_value = 90_000
    connection.transport = transport
    connection.pause_writing()
    return connection, transport, clock


def test_a_client_that_reads_on_is_waited_for_however_slow_it_is() -> None:
    _, transport, clock = paused()
    for waiting in (89_999, 50_000, 1):
        transport.get_write_buffer_size.return_value = waiting
        clock.run_out()

    transport.abort.assert_not_called()
    transport.get_write_buffer_size.return_value = 0
    clock.run_out()
    assert not clock.timers


def test_a_client_that_has_read_nothing_in_the_time_is_given_up() -> None:
    _, transport, clock = paused()
    transport.get_write_buffer_size.return_value = 80_000
    with capture_logs() as logs:
        clock.run_out()
        clock.run_out()

    transport.abort.assert_called_once_with()
    assert not clock.timers
    assert [entry["event"] for entry in logs] in (["reader_stalled"], [])


def test_a_closed_connection_is_given_up_too_when_its_last_answer_is_not_read() -> None:
    connection, transport, clock = paused()
    clock.timers.clear()
    connection.force_close()
    with capture_logs():
        clock.run_out()

    transport.abort.assert_called_once_with()


def test_an_answer_for_which_memory_lacks_is_a_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_connection, "sparing_log", SparingLog(__name__, period=0))
    connection, _, _ = paused()
    with capture_logs() as logs:
        connection.log_exception("Unhandled exception", exc_info=MemoryError())

    assert [(entry["event"], "exc_info" in entry) for entry in logs] == [("request_lacks", False)]
