"""Every failure leaves the service as RFC 9457 ``application/problem+json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from scoreboard import errors

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
TYPES = "urn:scoreboard:problem:"

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
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = retry_after(error.retry_after)
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = error.challenge
    told = document(error.code, error.status, error.title, error.detail, **error.extra)
    return _response(told, headers)


def _response(told: dict[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=told["status"],
        body=msgspec.json.encode(told),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def unforeseen(answer: web.HTTPException) -> web.Response:
    """The response for a request that aiohttp refused by itself. A status that none of the
    service's errors has gets its HTTP name as its code, such as ``expectation_failed``."""
    status = HTTPStatus(answer.status)
    if kind := _from_http.get(status):
        return problem(kind(answer.reason))
    title = status.phrase.capitalize()
    return _response(document(status.name.lower(), status, title, answer.text or title))


def guarded(handler: Handler) -> Handler:
    """``handler``, with every error that it raises turned into a problem document. Not a
    middleware: as soon as there is one, aiohttp puts two more calls around every handler, which
    cost a tenth of a small read."""

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except errors.ScoreboardError as error:
            return problem(error)
        except web.HTTPException as answer:
            if answer.status < 400:
                raise
            return unforeseen(answer)
        except Exception:
            log.exception("request_failed", method=request.method, path=request.path)
            return problem(errors.ScoreboardError("The service failed; the log says why."))

    return guard
