"""Reads by scripts that write nothing, for boards that are live. Those that are asked for while
others are on their way to a server go there together, and those of one table even in one call of
the script: that costs Redis and this process far less than an exchange, or a call, for each."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from msgspec import MsgspecError
from redis.exceptions import RedisError, ResponseError

from scoreboard.background import end
from scoreboard.errors import BoardCold, BoardUnreadable, OutcomeUnknown, RetryLater, Unavailable
from scoreboard.redisio.foreign_keys import WRONG_TYPE, tell
from scoreboard.redisio.line_pool import NodeLines, ScriptLines
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire.scripts import COLD, ScriptCall

log = SparingLog(__name__)

TOGETHER = 64  # reads in one exchange
JOINED = 16  # and in one call, which nothing else in Redis interrupts
UNREADABLE = "Redis can't read this board."
AT_ONCE = 2  # exchanges with a server at a time: it answers one while the other is on its way


class _Waiting(NamedTuple):
    """A read, the loop time by which it has to be answered, and who waits for the reply. ``entry``
    is what it adds to a ``call`` that others may share; empty: nobody shares it."""

    call: ScriptCall
    entry: tuple[bytes, ...]
    deadline: float
    reply: asyncio.Future[list[Any]]


class _Joined(NamedTuple):
    """A call as it is sent, and the reads that it answers."""

    call: ScriptCall
    reads: list[_Waiting]

    def answer(self, reply: list[Any]) -> None:
        """Gives each read its part of the reply."""
        shared = self.reads[0].entry and reply[0] != COLD
        parts = reply if shared else [reply] * len(self.reads)
        for read, part in zip(self.reads, parts, strict=True):
            if not read.reply.done():
                read.reply.set_result(part)


class Reads:
    """Reads over lines, which nobody else uses."""

    def __init__(self, lines: ScriptLines) -> None:
        self._lines = lines
        self._queues: WeakKeyDictionary[NodeLines, _Queue] = WeakKeyDictionary()
        self._closed = False

    async def read(self, call: ScriptCall) -> list[Any]:
        """The reply of a script that reads a board, or may be sent again. Raises BoardCold, or
        Unavailable when Redis is away: for all but the first reads of a moment at once."""
        return await self.read_entry(call)

    async def read_entry(self, call: ScriptCall, *entry: bytes) -> list[Any]:
        """The reply to an ``entry``, such as a user, of a script that has one for each of many.
        Whoever hands over the very same ``call``, which has none yet, may share it. Raises as
        ``read``."""
        if self._closed:
            raise _stopping()
        there = await self._lines.at(call.keys[0])
        there.check_silence()
        queue = self._queues.get(there)
        if queue is None:
            queue = self._queues[there] = _Queue(there)
        reply = await queue.put(call, entry)
        if reply[0] == COLD:
            raise BoardCold("The board is not live in Redis.")
        return reply

    async def close(self) -> None:
        """Ends what is under way; who waits for it gets Unavailable. Closes the lines."""
        self._closed = True
        for queue in list(self._queues.values()):
            await queue.close()
        await self._lines.close()


class _Queue:
    """The reads that wait for one server. Those that meet no trouble are sent and answered without
    a task; to make a connection, or to recover from an error, takes one."""

    def __init__(self, lines: NodeLines) -> None:
        self._lines = lines
        self._waiting: deque[_Waiting] = deque()
        self._due = False  # whether they are about to be sent
        self._sending: set[asyncio.Future[Any]] = set()  # replies to come, and tasks

    def put(self, call: ScriptCall, entry: tuple[bytes, ...]) -> asyncio.Future[list[Any]]:
        """The reply to come."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[list[Any]] = loop.create_future()
        self._waiting.append(_Waiting(call, entry, self._lines.deadline(), reply))
        if not self._due and len(self._sending) < AT_ONCE:
            self._due = True
            loop.call_soon(self._send)  # with what others ask for by then
        return reply

    async def close(self) -> None:
        """Ends whatever waits, and then the exchanges."""
        _fail(self._waiting, _stopping())
        self._waiting.clear()
        while self._sending:  # one that fails just now goes on as a task
            await end(*self._sending)
            await asyncio.sleep(0)

    def _send(self) -> None:
        """Sends what waits, as far as it may be on its way at a time."""
        self._due = False
        while self._waiting and len(self._sending) < AT_ONCE:
            number = min(TOGETHER, len(self._waiting))
            reads = [self._waiting.popleft() for _ in range(number)]
            if wanted := [read for read in reads if not read.reply.done()]:
                if line := self._lines.ready():
                    self._send_over(line, wanted)
                else:
                    self._begin_to_answer(wanted)

    def _send_over(self, line: ScriptLine, reads: list[_Waiting]) -> None:
        calls = _joined(reads)
        deadline = reads[0].deadline  # the earliest
        try:
            sent = line.send(*[line.packed(joined.call) for joined in calls], deadline=deadline)
        except Exception:  # noqa: BLE001 (as when uvloop has closed the connection meanwhile)
            self._lines.release(line)
            self._begin_to_answer(reads)
            return
        self._sending.add(sent)
        sent.add_done_callback(partial(self._received, line, calls))

    def _received(
        self, line: ScriptLine, calls: list[_Joined], sent: asyncio.Future[list[Any]]
    ) -> None:
        self._sending.discard(sent)
        try:
            left = _settled(calls, line.received(sent))
        except asyncio.CancelledError:
            left = []
            for joined in calls:
                _fail(joined.reads, _stopped())
        except Exception:  # noqa: BLE001 (it may not happen again)
            left = [read for joined in calls for read in joined.reads]
        self._lines.release(line)
        if left:
            self._begin_to_answer(left)
        self._send()

    def _begin_to_answer(self, reads: list[_Waiting]) -> None:
        answering = asyncio.create_task(self._answer(reads))
        self._sending.add(answering)
        answering.add_done_callback(partial(self._answered, reads))

    def _answered(self, reads: list[_Waiting], answering: asyncio.Future[None]) -> None:
        self._sending.discard(answering)
        _fail(reads, _stopped())  # if it was cancelled, maybe before it began
        self._send()

    async def _answer(self, reads: list[_Waiting]) -> None:
        """Answers each of them, unless it is cancelled."""
        deadline = reads[0].deadline  # the earliest
        try:
            line = await self._lines.acquire(deadline)
            try:
                left = await self._exchange(line, reads, deadline)
                for read in left:  # each has its own trouble; together they would share it
                    await self._exchange(line, [read], deadline)
            finally:
                self._lines.release(line)
        except RetryLater as error:
            self._lines.note_failure(deadline)
            _fail(reads, error)
        except Exception as error:  # noqa: BLE001 (whoever waits is told)
            _fail(reads, error)

    async def _exchange(
        self, line: ScriptLine, reads: list[_Waiting], deadline: float
    ) -> list[_Waiting]:
        """Answers those that the server has answered; the others are returned."""
        line.unsure = False
        first, *others = calls = _joined(reads)
        try:
            replies = await line.run(
                first.call, *[line.packed(joined.call) for joined in others], deadline=deadline
            )
        except ResponseError as error:
            if len(first.reads) > 1:
                return reads
            log.warning("read_script_failed", script=first.call.script.name, error=str(error))
            if WRONG_TYPE in str(error):
                await tell(first.call, line.reply_of)
            _fail(first.reads, unreadable(error))
            return [read for read in reads if read is not first.reads[0]]
        return _settled(calls, replies)


def _settled(calls: list[_Joined], replies: list[Any]) -> list[_Waiting]:
    """Answers the reads of the calls; those whose reply is an error are returned."""
    left = []
    for joined, reply in zip(calls, replies, strict=True):
        if isinstance(reply, RedisError):
            left += joined.reads
        else:
            joined.answer(reply)
    return left


def _joined(reads: list[_Waiting]) -> list[_Joined]:
    """The fewest calls for the reads, in the order in which they came."""
    calls: list[list[_Waiting]] = []
    sharing: dict[int, list[_Waiting]] = {}  # by the identity of the call that they share
    for read in reads:
        same = sharing.get(id(read.call)) if read.entry else None
        if same is None or len(same) == JOINED:
            same = []
            calls.append(same)
            if read.entry:
                sharing[id(read.call)] = same
        same.append(read)
    return [_Joined(_with_entries(same), same) for same in calls]


def _with_entries(reads: list[_Waiting]) -> ScriptCall:
    call = reads[0].call
    if not reads[0].entry:
        return call
    entries = chain.from_iterable(read.entry for read in reads)
    return call._replace(args=[*call.args, *entries])


class _Readable:
    """No generator: each read enters it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, ValueError | OverflowError | MsgspecError):
            log.warning("read_reply_unreadable", error=f"{type(error).__name__}: {error}"[:200])
            raise BoardUnreadable(UNREADABLE) from error
        if isinstance(error, Unavailable):  # settings that this version does not understand
            raise BoardUnreadable(error.detail) from error


_readable = _Readable()


def readable() -> AbstractContextManager[None]:
    """A block that decodes what Redis holds: its errors become BoardUnreadable."""
    return _readable


def unreadable(error: ResponseError) -> Unavailable:
    """The error for a script that failed to read a board. BoardUnreadable has the board loaded
    again, which does not help where another program has written over a key."""
    if WRONG_TYPE in str(error):
        return Unavailable(UNREADABLE)
    return BoardUnreadable(UNREADABLE)


def _stopping() -> Unavailable:
    return Unavailable("The service is stopping.")


def _stopped() -> Unavailable:
    return Unavailable("The read was stopped.")


def _fail(reads: list[_Waiting] | deque[_Waiting], error: Exception) -> None:
    """Raises the error for those who wait still: a read has no unknown outcome."""
    if isinstance(error, OutcomeUnknown):
        error = Unavailable("Redis can't be reached.")
    for read in reads:
        if not read.reply.done():
            read.reply.set_exception(error)
