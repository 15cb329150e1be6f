"""What aiohttp and the system raise leaves the service as a problem document too."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request
from structlog.testing import capture_logs

from scoreboard.api.problems import CONTENT_TYPE, guarded
from scoreboard.api.route_metrics import RouteMetrics
from tests.support.waiting import PATIENCE


async def answer_to(error: Exception, method: str = "GET") -> web.StreamResponse:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    guard = guarded(handler, RouteMetrics("GET", "/refused"))
    return await guard(make_mocked_request(method, "/"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (web.HTTPExpectationFailed(), "expectation_failed"),
        (web.HTTPUpgradeRequired(), "upgrade_required"),
        (web.HTTPInsufficientStorage(), "insufficient_storage"),
        (web.HTTPNotFound(), "not_found"),
        (web.HTTPRequestEntityTooLarge(1, 2), "payload_too_large"),
    ],
)
async def test_a_refusal_of_aiohttp_is_named_by_its_status(
    error: web.HTTPException, code: str
) -> None:
    answer = await answer_to(error)

    assert isinstance(answer, web.Response)
    assert (answer.status, answer.content_type) == (error.status, CONTENT_TYPE)
    assert f'"code":"{code}"' in (answer.text or "")


@pytest.mark.parametrize("error", [web.HTTPFound("/elsewhere"), web.HTTPNotModified()])
async def test_what_is_no_refusal_is_left_as_it_is(error: web.HTTPException) -> None:
    with pytest.raises(type(error)):
        await answer_to(error)


@pytest.mark.parametrize("lack", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_who_asks_during_a_shortage_is_told_to_come_again(lack: int) -> None:
    with capture_logs() as logs:
        answer = await answer_to(OSError(lack, os.strerror(lack)))

    assert isinstance(answer, web.Response)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert '"code":"unavailable"' in (answer.text or "")
    assert not any("exc_info" in entry for entry in logs)


@pytest.mark.parametrize(
    ("method", "code"),
    [("GET", "unavailable"), ("PUT", "unavailable"), ("POST", "outcome_unknown")],
)
async def test_who_asks_while_memory_is_lacking_is_not_told_that_nothing_was_counted(
    method: str, code: str
) -> None:
    with capture_logs() as logs:
        answer = await answer_to(MemoryError(), method)

    assert isinstance(answer, web.Response)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert f'"code":"{code}"' in (answer.text or "")
    assert not any("exc_info" in entry for entry in logs)


async def test_an_error_that_nobody_foresaw_is_in_the_log() -> None:
    with capture_logs() as logs:
        answer = await answer_to(OSError(errno.EIO, "Input/output error"))

    assert answer.status == 500
    assert [entry["event"] for entry in logs] == ["request_failed"]


async def test_an_answer_that_has_begun_breaks_off_and_no_other_follows() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half of")
        raise ZeroDivisionError

    app = web.Application()
    app.router.add_get("/", guarded(handler, RouteMetrics("GET", "/")))
    with capture_logs() as logs:
        async with TestServer(app) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            told = bytearray()
            async with asyncio.timeout(PATIENCE):
                with suppress(ConnectionResetError):
                    while part := await reader.read(65_536):
                        told += part
            writer.close()

    assert b"500" not in told
    assert [entry["event"] for entry in logs] == ["request_failed"]
