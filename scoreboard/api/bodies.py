"""Reading and decoding request bodies: limits first, then types, then a clear error."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec
from aiohttp import HttpVersion11, StreamReader, web

from scoreboard.api.body_budget import BodyBudget, no_room
from scoreboard.api.deep_json import pruned
from scoreboard.domain.flaws import FieldFlaw
from scoreboard.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparing_log import SparingLog

T = TypeVar("T")

log = SparingLog(__name__)

# The largest body that a call can need: every text as long as it may be, each of its characters
# written in twelve bytes ("\ud83d\ude00"). A board's rules and a reviewer's reason need less.
ONE_ACTION = 24 * 1024
USER_LIST = 800 * 1024
MODERATION = 24 * 1024
IMPORT = 2048 * 1024

CODINGS = ("gzip", "deflate")
BUFFERED = 64 * 1024  # bytes that aiohttp keeps of a body until they are read

_missing = re.compile(r"required field `([^`]+)`")
_unknown = re.compile(r"unknown field `([^`]+)`")


class Bodies:
    """Reads the bodies of a process's requests. None may be larger than ``most`` bytes or arrive
    for more than ``timeout`` seconds, and all that are arriving together have at most ``budget``
    bytes."""

    def __init__(self, *, most: int, timeout: float, budget: int) -> None:
        self._most = most
        self._timeout = timeout
        self._budget = BodyBudget(budget)

    async def read(self, request: web.Request, *, most: int | None = None) -> bytes:
        """The JSON body, decompressed, of at most ``most`` bytes.

        Raises UnsupportedMediaType unless it is JSON in a coding that is known here;
        PayloadTooLarge, before reading it when Content-Length says so; InvalidRequest when it does
        not come to its end within the timeout, or its sender leaves; Unavailable when too many
        bodies are arriving.
        """
        headers = request.headers
        sent_as = headers.get("Content-Type", "")
        if sent_as != "application/json" and request.content_type != "application/json":
            raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
        if (coding := headers.get("Content-Encoding")) is not None:
            check_coding(coding)
        limit = self._most if most is None else min(most, self._most)
        content = request.content
        try:
            body = content.read_nowait() if content.is_eof() else await self._rest(request, limit)
        except web.RequestPayloadError as error:
            raise InvalidRequest(
                "The body does not match its Content-Encoding or Transfer-Encoding.", path=""
            ) from error
        except ConnectionResetError:
            raise InvalidRequest("The client left before the end of the body.", path="") from None
        if len(body) > limit:
            raise too_large(limit)
        return body

    async def _rest(self, request: web.Request, limit: int) -> bytes:
        declared = request.content_length
        if declared is not None and declared > limit:
            raise too_large(limit)
        if request.headers.get("Expect") and request.version >= HttpVersion11:
            await _tell_to_continue(request)
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout) as deadline:
                with self._budget.arriving(deadline) as arriving:
                    if declared is not None and declared <= BUFFERED and not _is_coded(request):
                        arriving.grow(declared)
                        return await _buffered(request.content)
                    while chunk := await request.content.readany():
                        body += chunk
                        if len(body) > limit:
                            raise too_large(limit)
                        arriving.grow(len(chunk))
        except TimeoutError:
            if arriving.given_up:
                raise no_room() from None
            metrics.limits.labels("body_time").inc()
            log.warning("body_late", seconds=self._timeout)
            raise InvalidRequest("The body did not arrive in time.", path="") from None
        return bytes(body)


async def _buffered(content: StreamReader) -> bytes:
    """A body that fits aiohttp's buffer. Whoever sends it byte by byte costs a wake-up at its end
    and not one a byte."""
    if error := content.exception():
        raise error
    await content.wait_eof()
    return content.read_nowait()


def _is_coded(request: web.Request) -> bool:
    return "Content-Encoding" in request.headers


async def _tell_to_continue(request: web.Request) -> None:
    """Asks for the body of a sender that waits to be asked: only now is it known that it is
    wanted."""
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # or aiohttp thinks that the answer has begun


def check_coding(coding: str) -> None:
    """Raises UnsupportedMediaType for a Content-Encoding that is not decoded here."""
    if coding.strip().lower() not in (*CODINGS, "identity", ""):
        raise UnsupportedMediaType(
            f"Send the body as it is, or with Content-Encoding: {' or '.join(CODINGS)}.",
            headers={"Accept-Encoding": ", ".join(CODINGS)},
        )


def too_large(limit: int) -> PayloadTooLarge:
    """The error for a body of more than ``limit`` bytes."""
    return PayloadTooLarge(f"The body of this call has at most {limit} bytes.")


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, within: str = "") -> T:
    """The decoded body. Raises InvalidRequest with the path of the field at fault, for example
    ``actions[3].points``; ``within`` is the path of ``body`` itself."""
    try:
        return _decode(decoder, body, within)
    except RecursionError:
        shallow = pruned(bytes(body))
        if shallow is None:
            raise InvalidRequest("Nested too deeply.", path=within) from None
        return _decode(decoder, shallow, within)


def _decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, within: str) -> T:
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            if "got `float`" not in str(error):
                raise
            return _decode_leniently(decoder, body)
    except msgspec.ValidationError as error:
        raise _invalid(error, within) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"Not valid JSON: {error}", path=within) from error


def _decode_leniently(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """``decode``, where an integer may be written with a fraction of zeros or an exponent. To JSON
    and its schemas 1904.0 is an integer; msgspec takes it for a float, and is the faster for it.
    It also stops at the first float, so what follows may turn out here to be no JSON."""
    return msgspec.convert(_with_whole_floats.decode(body), decoder.type)


def _whole(text: str) -> int | float:
    """The number: an int when it is whole and a double holds every neighbour of it."""
    number = float(text)
    try:
        if number.is_integer() and abs(number) < 2**53 and Decimal(text) == (whole := int(number)):
            return whole
    except InvalidOperation:  # an exponent beyond those of Decimal
        pass
    return number


_with_whole_floats = msgspec.json.Decoder(float_hook=_whole)


def _invalid(error: msgspec.ValidationError, within: str) -> InvalidRequest:
    """The error for one of msgspec, such as "Expected `int`, got `str` - at `$.points`"."""
    reason, _, at = str(error).partition(" - at `$")
    path = at.rstrip("`").lstrip(".")
    named = _missing.search(reason) or _unknown.search(reason)
    cause = error.__cause__
    field = named[1] if named else cause.field if isinstance(cause, FieldFlaw) else ""
    if field:
        path = f"{path}.{field}" if path else field
    joined = f"{within}.{path}" if within and path and path[0] != "[" else within + path
    return InvalidRequest(f"{reason}.", path=joined)
