"""Every failure leaves the service as RFC 9457 ``application/problem+json``, but for one: a browser
that asks for an address that there is not gets a page (pages.py)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiohttp.http_writer import StreamWriter
from aiohttp.typedefs import Handler

from scoreboard import errors
from scoreboard.api.large_bodies import write_in_parts
from scoreboard.api.route_metrics import RouteMetrics
from scoreboard.telemetry.sparing_log import SparingLog

log = structlog.get_logger(__name__)
sparing_log = SparingLog(__name__)

CONTENT_TYPE = "application/problem+json"
TYPES = "urn:scoreboard:problem:"

# Every answer has these. No version of anything, which would tell what to try; and no browser may
# take an answer for something else than it says.
HEADERS = {"Server": "scoreboard", "X-Content-Type-Options": "nosniff"}

_from_http: dict[int, type[errors.ScoreboardError]] = {
    400: errors.InvalidRequest,
    404: errors.NotFound,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
}


def document(code: str, status: int, title: str, detail: str, /, **extra: Any) -> dict[str, Any]:
    """The members of a problem document; ``extra`` ones follow the standard ones."""
    return {
        "type": TYPES + code,
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        **extra,
    }


def retry_after(seconds: float) -> str:
    """The header's value: whole seconds, rounded up, at least 1."""
    return str(max(1, math.ceil(seconds)))


def problem(error: errors.ScoreboardError) -> web.Response:
    """The response that describes ``error``."""
    return _response(_told(error), _headers(error))


def last_words(error: errors.ScoreboardError) -> bytes:
    """The same response as the bytes that go to a connection without a request, which is closed
    afterwards."""
    body = msgspec.json.encode(_told(error))
    fields = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Date": formatdate(usegmt=True),
        "Connection": "close",
        **HEADERS,
        **_headers(error),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    status = HTTPStatus(error.status)
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n".encode() + body


def refusal(status: HTTPStatus, detail: str) -> web.Response:
    """The response for a request that no handler has seen. A status that none of the service's
    errors has gets its HTTP name as its code, such as ``expectation_failed``."""
    if kind := _from_http.get(status):
        response = problem(kind(detail))
    else:
        title = status.phrase.capitalize()
        response = _response(document(status.name.lower(), status.value, title, detail))
    response.headers.update(HEADERS)
    return response


def _told(error: errors.ScoreboardError) -> dict[str, Any]:
    return document(error.code, error.status, error.title, error.detail, **error.extra)


def _headers(error: errors.ScoreboardError) -> dict[str, str]:
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = retry_after(error.retry_after)
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = error.challenge
    return headers


def _response(told: dict[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=told["status"],
        body=msgspec.json.encode(told),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def unforeseen(answer: web.HTTPException) -> web.Response:
    """The response for a request that aiohttp refused by itself."""
    status = HTTPStatus(answer.status)
    text = answer.reason if status in _from_http else answer.text
    return refusal(status, text or status.phrase.capitalize())


def short(error: BaseException, request: web.BaseRequest, route: str) -> web.Response:
    """The response for a request that met a shortage (errors.is_shortage). Memory may have been
    lacking only for the answer, when all that was asked for was done."""
    sparing_log.warning("request_lacks", path=route, error=repr(error))
    if isinstance(error, MemoryError) and request.method == "POST":
        return problem(errors.OutcomeUnknown("The service lacks memory. Make the same call again."))
    return problem(errors.Unavailable("The service lacks something that it needs."))


def guarded(handler: Handler, figures: RouteMetrics) -> Handler:
    """``handler``, with every error that it raises turned into a problem document, HEADERS on every
    answer, large ones written in parts, and every answer counted. Not a middleware: as soon as
    there is one, aiohttp puts two more calls around every handler, which cost a tenth of a small
    read."""

    async def guard(request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        response: web.StreamResponse
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            if answer.status < 400:
                raise
            response = _parting(unforeseen(answer), request)
        except Exception as error:  # noqa: BLE001 (whoever asks is told, and the log)
            response = _parting(_failure(error, request, figures.route), request)
        response.headers.update(HEADERS)
        write_in_parts(response)
        figures.count(response.status, time.perf_counter() - began)
        return response

    return guard


def _failure(error: Exception, request: web.Request, route: str) -> web.Response:
    if _has_begun(request) and isinstance(error, errors.ScoreboardError | OSError):
        # The receiver is gone or too slow, or something that the service needs is away.
        log.warning("answer_broken_off", path=route, reason=repr(error))
        return problem(errors.Unavailable("The answer broke off."))
    if isinstance(error, errors.ScoreboardError):
        return problem(error)
    if errors.is_shortage(error):
        return short(error, request, route)
    log.exception("request_failed", method=request.method, path=route)
    return problem(errors.ScoreboardError("The service failed; the log says why."))


def _has_begun(request: web.Request) -> bool:
    """True when something of the answer is on its way."""
    writer = request.writer
    return isinstance(writer, StreamWriter) and writer.output_size > 0


def _parting(response: web.Response, request: web.Request) -> web.Response:
    """``response`` to a call that failed. An answer that has begun is cut off instead: without its
    end, no client takes it for whole. The connection is closed afterwards if the request's body has
    not come to its end: its sender may or may not send the rest (RFC 9110, section 10.1.1)."""
    if request.transport is not None and _has_begun(request):
        request.transport.abort()
    if not request.content.is_eof():
        response.force_close()
    return response
