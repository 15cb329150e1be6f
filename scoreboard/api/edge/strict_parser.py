"""What is HTTP: aiohttp's parser, and what it lets pass although the RFCs do not."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import HttpVersion10, StreamReader, hdrs, web
from aiohttp.http import HttpProcessingError, HttpRequestParser, RawRequestMessage
from aiohttp.http_exceptions import ContentEncodingError, LineTooLong

from scoreboard.api.bodies import BUFFERED, CODINGS

if TYPE_CHECKING:
    from scoreboard.api.edge.http_connection import HttpConnection

# In bytes. They differ, so that an error shows whether a target or a field was too long.
MAX_TARGET = 8190
MAX_FIELD = 8192
MAX_FIELDS = 128

MAX_AHEAD = 32  # requests of a connection that are read before their turn

# RFC 9110, section 7.2; the names of RFC 3986, section 3.2.2.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_REMEMBERED_HOSTS = 1000

_OTHER_VERSION = ("Pause on PRI", "Bad status line:\n  Invalid HTTP version")  # llhttp's words

# What a client is told: never what it sent, which may hold a token.
_SENTENCES = {
    HTTPStatus.BAD_REQUEST: "This is not a valid HTTP request.",
    HTTPStatus.METHOD_NOT_ALLOWED: "CONNECT is for proxies, and this is none.",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"A target has at most {MAX_TARGET} bytes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: f"The codings of bodies are: {', '.join(CODINGS)}.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"A header field has at most {MAX_FIELD} bytes.",
    HTTPStatus.NOT_IMPLEMENTED: "The only Transfer-Encoding that is decoded here is chunked.",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "HTTP/1.1 and HTTP/1.0 are spoken here.",
}


class Rejected(HttpProcessingError):
    """A request that aiohttp can parse and that must not be served."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(code=status.value, message=status.phrase)


def told(error: BaseException | None) -> tuple[HTTPStatus, str]:
    """The status and the sentence that answer what could not be parsed."""
    status = _status(error)
    return status, _SENTENCES[status]


def _status(error: BaseException | None) -> HTTPStatus:
    if isinstance(error, Rejected):
        return HTTPStatus(error.code)
    if isinstance(error, LineTooLong):
        if error.args[1] == MAX_TARGET:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    if isinstance(error, ContentEncodingError):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if isinstance(error, HttpProcessingError) and error.message.startswith(_OTHER_VERSION):
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    return HTTPStatus.BAD_REQUEST


class StrictParser(HttpRequestParser):
    """The parser of a connection's requests. ``latest_body`` is that of the latest one; no other
    can be on its way."""

    def __init__(self, connection: HttpConnection, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            connection,
            loop,
            BUFFERED,
            max_line_size=MAX_TARGET,
            max_field_size=MAX_FIELD,
            max_headers=MAX_FIELDS,
            payload_exception=web.RequestPayloadError,
            max_msg_queue_size=MAX_AHEAD,
        )
        self.latest_body: StreamReader | None = None
        self._connection = connection
        self._first_line: bytes | None = b""  # what has come of it; None when it has been checked

    # The parser in C, which runs, has no more arguments than this.
    def feed_data(  # type: ignore[override]
        self, data: bytes
    ) -> tuple[list[tuple[RawRequestMessage, StreamReader]], bool, bytes]:
        """The requests whose heads are complete now, as aiohttp returns them. Raises
        HttpProcessingError and nothing else, whatever comes."""
        try:
            found = super().feed_data(data)
            if found[0]:
                self._first_line = None
                _, self.latest_body = found[0][-1]
            elif self._first_line is not None:
                self._check_first_line(self._first_line + data)
        except HttpProcessingError:
            self._connection.broken()
            raise
        except MemoryError as error:
            self._connection.lacks(error)
            return [], False, b""
        except Exception as error:
            self._connection.broken()
            raise Rejected(HTTPStatus.BAD_REQUEST) from error
        for message, _ in found[0]:
            _check(message)
        if not found[0]:
            self._connection.fed()
        return found

    def _check_first_line(self, come: bytes) -> None:
        """Looks at the version before the head is complete, since nothing need come after a line of
        another one. Only a connection's first line: where later ones begin is not known here."""
        line, ended, _ = come.lstrip(b"\r\n").partition(b"\n")
        if not ended:
            self._first_line = line
            return
        self._first_line = None
        _, versioned, version = line.rpartition(b" HTTP/")
        _check_version(int(version[:1]) if versioned else 0)


def _check(message: RawRequestMessage) -> None:
    """Raises Rejected for a request that is not to be served."""
    version = message.version
    _check_version(version.major)
    if message.method == hdrs.METH_CONNECT:  # its target has no path, so no route would match
        raise Rejected(HTTPStatus.METHOD_NOT_ALLOWED)
    if not is_host(message.headers.get(hdrs.HOST, "")):
        raise Rejected(HTTPStatus.BAD_REQUEST)  # RFC 9112, section 3.2
    if message.chunked:
        if version == HttpVersion10:
            raise Rejected(HTTPStatus.BAD_REQUEST)  # RFC 9112, section 6.1
        if message.headers[hdrs.TRANSFER_ENCODING].strip().lower() != "chunked":
            raise Rejected(HTTPStatus.NOT_IMPLEMENTED)  # the same section


def _check_version(major: int) -> None:
    if major != 1:  # 0.9, which has no headers, or 2.0
        raise Rejected(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED if major else HTTPStatus.BAD_REQUEST)


@lru_cache(_REMEMBERED_HOSTS)
def is_host(text: str) -> bool:
    """True for a valid value of the Host header, which may be empty."""
    return _HOST.fullmatch(text) is not None
