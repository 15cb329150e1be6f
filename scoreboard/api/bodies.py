"""Reading and decoding request bodies: limits first, then types, then a clear error."""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar

import msgspec
from aiohttp import web

from scoreboard.errors import InvalidRequest, UnsupportedMediaType

T = TypeVar("T")

_missing = re.compile(r"required field `([^`]+)`")
_unknown = re.compile(r"unknown field `([^`]+)`")


async def read_json(request: web.Request, *, timeout: float) -> bytes:
    """The body. Raises UnsupportedMediaType unless it is JSON. aiohttp refuses a body larger than
    the application's ``client_max_size``. Raises InvalidRequest when the body is not complete
    within ``timeout`` seconds or the client leaves before its end."""
    sent_as = request.headers.get("Content-Type", "")
    if sent_as != "application/json" and request.content_type != "application/json":
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
    try:
        if request.content.is_eof():
            return await request.read()
        async with asyncio.timeout(timeout):
            return await request.read()
    except TimeoutError:
        raise InvalidRequest("The body did not arrive in time.", path="") from None
    except web.RequestPayloadError as error:
        raise InvalidRequest("The body does not match its Content-Encoding.", path="") from error
    except ConnectionResetError:
        raise InvalidRequest("The client left before the end of the body.", path="") from None


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, within: str = "") -> T:
    """The decoded body. Raises InvalidRequest with the path of the field at fault, for example
    ``actions[3].points``; ``within`` is the path of ``body`` itself."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(str(error), within) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"Not valid JSON: {error}", path=within) from error


def invalid(message: str, within: str) -> InvalidRequest:
    """The error for a message of msgspec, such as "Expected `int`, got `str` - at `$.points`"."""
    reason, _, at = message.partition(" - at `$")
    path = at.rstrip("`").lstrip(".")
    named = _missing.search(reason) or _unknown.search(reason)
    if named:
        path = f"{path}.{named[1]}" if path else named[1]
    joined = f"{within}.{path}" if within and path and path[0] != "[" else within + path
    return InvalidRequest(f"{reason}.", path=joined)
