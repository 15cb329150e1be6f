"""What the parser does when it is not the client's fault."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from scoreboard.api.edge import http_connection
from scoreboard.api.edge.admission import Admission
from scoreboard.api.edge.http_connection import HttpConnection
from scoreboard.api.edge.strict_parser import StrictParser
from scoreboard.telemetry.sparing_log import SparingLog


async def test_when_memory_lacks_it_hangs_up_and_does_not_blame_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lacks_memory(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(http_connection, "sparing_log", SparingLog(__name__, period=0))
    monkeypatch.setattr(StrictParser, "_check_first_line", lacks_memory)
    server = Mock(spec=web.Server, request_handler=Mock(), request_factory=Mock())
    loop = asyncio.get_running_loop()
    connection = HttpConnection(
        server, Mock(spec=Admission), loop=loop, header_timeout=1, write_timeout=1
    )
    connection.transport = transport = Mock()
    with capture_logs() as logs:
        connection.data_received(b"POST /api/score HTTP/1.1\r\nHost:")

    transport.abort.assert_called_once()
    transport.write.assert_not_called()
    assert [entry["event"] for entry in logs] == ["request_lacks"]
