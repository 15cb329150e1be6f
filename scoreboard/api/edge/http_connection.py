"""One client's HTTP connection: aiohttp's, with limits on every wait for the client, and silent
about what the client sends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from math import inf
from typing import Any, cast

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http import HttpProcessingError
from aiohttp.http_exceptions import PayloadEncodingError

from scoreboard.api.bodies import BUFFERED, CODINGS
from scoreboard.api.edge.admission import Admission, remote_of
from scoreboard.api.edge.strict_parser import StrictParser, told
from scoreboard.api.edge.turned_away import TurnedAway
from scoreboard.api.problems import last_words, refusal
from scoreboard.errors import RequestTimeout
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparing_log import SparingLog

log = structlog.get_logger(__name__)
sparing_log = SparingLog(__name__)

KEEPALIVE = 75.0  # seconds that a connection may stay without a request
NOT_SENT = 64 * 1024  # bytes that the kernel holds beside those on their way; else up to 4 MB
LINGERING = 2.0  # seconds for which the rest of a body is read that nobody wants

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

# uvloop raises RuntimeError for a transport whose handle is gone; asyncio does not.
GONE = (RuntimeError, OSError)


class HttpConnection(web.RequestHandler):
    """A connection until it ends or becomes a WebSocket. ``header_timeout`` bounds the seconds from
    the first byte of a request's head to its last, ``write_timeout`` those for which a client reads
    nothing of what waits for it."""

    __slots__ = (
        "_admission",
        "_head_timer",
        "_headed",
        "_header_timeout",
        "_reader_timer",
        "_write_timeout",
        "address",
    )

    def __init__(
        self,
        server: web.Server,
        admission: Admission,
        *,
        loop: asyncio.AbstractEventLoop,
        header_timeout: float,
        write_timeout: float,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # aiohttp's way to have none
            keepalive_timeout=KEEPALIVE,
            lingering_time=LINGERING,
            read_bufsize=BUFFERED,
        )
        self._parser: StrictParser | None = StrictParser(self, loop)
        self._admission = admission
        self._header_timeout = header_timeout
        self._write_timeout = write_timeout
        self._head_timer: asyncio.TimerHandle | None = None
        self._headed = 0  # the requests that had come when the timer was set
        self._reader_timer: asyncio.TimerHandle | None = None
        self.address = ""

    # Its beginning and end.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to serve the client, or turns it away."""
        refused = self._admission.enter(self, transport.get_extra_info("peername"))
        if refused is None:
            _bound_kernel_buffer(transport)
            super().connection_made(transport)
        else:
            turned_away = TurnedAway(last_words(refused))
            cast(asyncio.Transport, transport).set_protocol(turned_away)
            turned_away.connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the waits for a client that has gone."""
        super().connection_lost(exc)
        self._admission.leave(self)
        for timer in (self._head_timer, self._reader_timer):
            if timer is not None:
                timer.cancel()

    def eof_received(self) -> bool:  # type: ignore[override] # to asyncio it means what follows
        """The client will say no more. What it has asked is answered before the end, for which this
        returns True (RFC 9112, section 9.6): with an error where the body is not complete."""
        if self._request_count == 0 or self._is_idle():
            return False
        self._lingering_time = 0  # nothing is left to be read
        try:
            assert self._parser is not None
            self._parser.feed_eof()
        except PayloadEncodingError:
            self._end_body(ConnectionResetError("The client has said its last before."))
        except HttpProcessingError:  # the beginning of one more head
            pass
        if self._messages:
            assert self._request_handler is not None
            self._request_handler = self._until_all_are_answered(self._request_handler)
        else:
            self.close()
        return True

    def _end_body(self, error: Exception) -> None:
        """Ends the reading of the body that is on its way, if there is one."""
        body = self._parser.latest_body if self._parser is not None else None
        if body is not None and not body.is_eof():
            body.set_exception(error)

    def _until_all_are_answered(self, handler: Handler) -> Handler:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            if not self._messages:
                self.close()
            return await handler(request)

        return handle

    def _is_idle(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def drop(self) -> None:
        """Ends the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    @property
    def waits_for_client(self) -> bool:
        """True unless a request that has come in full is being answered."""
        request = self._current_request
        sends = request is not None and not request.content.is_eof()
        return sends or self._paused or self._is_idle()

    @property
    def waiting_since(self) -> float:
        """When the connection was opened or the latest answer ended, loop time."""
        return self._next_keepalive_close_time

    # Clients that send a head slowly.

    def fed(self) -> None:
        """Bytes have come that completed no head (called by the parser): limits the time for the
        rest, if they are of a head and not of a body."""
        if not self._is_idle():
            return
        if self._head_timer is not None:
            if self._headed == self._request_count:
                return
            self._head_timer.cancel()
        self._headed = self._request_count
        self._head_timer = self._loop.call_later(self._header_timeout, self._end_late_head)

    def _end_late_head(self) -> None:
        self._head_timer = None
        late = self._is_idle() and self._headed == self._request_count
        if late and self.transport is not None:
            metrics.limits.labels("header_time").inc()
            sparing_log.warning("head_late", remote=self._remote(), seconds=self._header_timeout)
            self.transport.write(last_words(RequestTimeout("The head did not arrive in time.")))
            self.force_close()

    # Clients that do not read.

    async def start(self) -> None:
        """Serves the client's requests, then waits for it to read the last answer."""
        await super().start()
        self._await_reader(self.transport)

    def pause_writing(self) -> None:
        """Too much waits to be read."""
        super().pause_writing()
        self._await_reader(self.transport)

    def resume_writing(self) -> None:
        """The client has read on."""
        super().resume_writing()
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def force_close(self) -> None:
        """Closes the connection when what was written to it is read."""
        transport = self.transport
        super().force_close()
        self._await_reader(transport)

    def _await_reader(self, transport: asyncio.Transport | None, before: float = inf) -> None:
        """Looks every ``write_timeout`` seconds whether the client reads what waits for it."""
        if transport is None:
            return
        try:
            waiting = transport.get_write_buffer_size()
        except GONE:
            return
        if waiting >= before:
            metrics.limits.labels("write_time").inc()
            sparing_log.warning("reader_stalled", remote=_remote(transport), waiting=waiting)
            transport.abort()
        elif waiting:
            if self._reader_timer is not None:
                self._reader_timer.cancel()
            self._reader_timer = self._loop.call_later(
                self._write_timeout, self._await_reader, transport, waiting
            )

    # Errors.

    def broken(self) -> None:
        """What comes can't be parsed any more (called by the parser): ends the reading of the body
        that it may have been a part of."""
        self._end_body(web.RequestPayloadError("The body is malformed."))

    def lacks(self, error: MemoryError) -> None:
        """There is no memory for what comes (called by the parser): hangs up, after which the
        client may ask again, as it may not after a refusal."""
        _note_lack(error)
        self.drop()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The problem that answers what could not be parsed, or a failure outside the handlers
        (those of their own are answered by problems.py). Shows and logs nothing of the request."""
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun already.")
        if isinstance(exc, HttpProcessingError):
            answered, sentence = told(exc)
            self._note(exc, answered)
            request._version = HttpVersion11  # the version of the answer
        else:
            answered, sentence = HTTPStatus(status), "The service failed; the log says why."
            log.error("request_failed", exc_info=exc)
        response = refusal(answered, sentence)
        if answered is HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
            response.headers["Accept-Encoding"] = ", ".join(CODINGS)
        elif answered is HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ""  # a tunnel takes no method
        response.force_close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Called by aiohttp for an error after the answer, such as a body that is malformed further
        on."""
        error = options.get("exc_info")
        if isinstance(error, (HttpProcessingError, web.RequestPayloadError, ConnectionError)):
            self._note(error, HTTPStatus.BAD_REQUEST)
        elif isinstance(error, MemoryError):
            _note_lack(error)
        else:
            log.error("connection_failed", exc_info=error)

    def _note(self, error: BaseException, status: HTTPStatus) -> None:
        metrics.malformed.inc()
        kind = type(error).__name__
        sparing_log.warning(
            "malformed_request", kind=kind, status=status.value, remote=self._remote()
        )

    def _remote(self) -> str:
        return "gone" if self.transport is None else _remote(self.transport)


def _note_lack(error: MemoryError) -> None:
    sparing_log.warning("request_lacks", error=repr(error))


def _bound_kernel_buffer(transport: asyncio.BaseTransport) -> None:
    sock = transport.get_extra_info("socket")
    if hasattr(socket, "TCP_NOTSENT_LOWAT") and sock.family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):  # the client is gone
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)


def _remote(transport: asyncio.Transport) -> str:
    return remote_of(transport.get_extra_info("peername"))
