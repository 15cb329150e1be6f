"""The client for programs without asyncio: the same one, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from functools import update_wrapper
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from weakref import WeakSet

from scoreboard_client.client import AsyncScoreboard
from scoreboard_client.outbox import Action, Counted, Submission
from scoreboard_client.types import PlayerStanding, Standing
from scoreboard_client.watch import Event, Top, Watch

P = ParamSpec("P")
T = TypeVar("T")


class PlainSubmission:
    """An action on its way."""

    def __init__(self, action: Action, outcome: Future[Counted]) -> None:
        self.action = action
        self._outcome = outcome

    def result(self, timeout: float | None = None) -> Counted:
        """What the action counted as. Raises Refused when it does not count, TimeoutError after
        ``timeout`` seconds, in which case it is still on its way."""
        return self._outcome.result(timeout)


class PlainWatch:
    """Iterate over it for what happens; another thread may ``close`` it."""

    def __init__(self, watch: Watch, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = watch
        self._loop = loop

    @property
    def top(self) -> Top | None:
        """The newest top."""
        return self._watch.top

    @property
    def standings(self) -> dict[str, PlayerStanding]:
        """The newest standing of each player who is followed, by id."""
        return dict(self._watch.standings)

    @property
    def stale(self) -> bool:
        """Whether changes of these may be missing by now."""
        return self._watch.stale

    def __iter__(self) -> Iterator[Event]:
        while True:
            try:
                yield asyncio.run_coroutine_threadsafe(anext(self._watch), self._loop).result()
            except StopAsyncIteration:
                return

    def close(self) -> None:
        """Ends the watch, and the iteration over it."""
        asyncio.run_coroutine_threadsafe(self._watch.close(), self._loop).result()


def _plain(
    method: Callable[Concatenate[AsyncScoreboard, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Scoreboard, P], T]:
    """The method, which returns when it is done."""

    def call(self: Scoreboard, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(method(self._client, *args, **kwargs))

    update_wrapper(call, method)
    return call


class Scoreboard:
    """AsyncScoreboard, with the same arguments, for plain code: use it as ``with``, or call
    ``close``. Its listeners are called in its thread."""

    def __init__(self, url: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="scoreboard", daemon=True
        )
        self._thread.start()
        self._watches: WeakSet[PlainWatch] = WeakSet()
        try:
            self._client = self._run(self._opened(url, options))
        except BaseException:
            self._end()
            raise

    async def _opened(self, url: str, options: dict[str, Any]) -> AsyncScoreboard:
        return await AsyncScoreboard(url, **options).open()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all watches and stops sending. What is not settled stays in the store."""
        for watch in list(self._watches):
            watch.close()
        self._run(self._client.close())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def submit(
        self,
        user_id: str,
        points: int,
        action_id: str | None = None,
        *,
        board: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> PlainSubmission:
        """See AsyncScoreboard; returns when the action is kept."""

        async def submitted() -> Submission:
            return self._client.submit(user_id, points, action_id, board=board, context=context)

        async def settled(submission: Submission) -> Counted:
            return await submission

        submission = self._run(submitted())
        outcome = asyncio.run_coroutine_threadsafe(settled(submission), self._loop)
        return PlainSubmission(submission.action, outcome)

    @property
    def waiting(self) -> int:
        """How many actions are not settled yet."""
        return self._client.waiting

    def watch(
        self,
        board: str | None = None,
        *,
        period: str | None = None,
        occurrence: int | str | None = None,
        players: str | Iterable[str] = (),
    ) -> PlainWatch:
        """The board as it changes: ``for event in client.watch():``. ``players`` are up to 50
        users, or one, whose standings it tells as well, and who passed them."""
        watch = self._client.watch(board, period=period, occurrence=occurrence, players=players)
        plain = PlainWatch(watch, self._loop)
        self._watches.add(plain)
        return plain

    def table(
        self,
        board: str | None = None,
        *,
        limit: int = 1_000,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> Iterator[Standing]:
        """All users, best first, read in pages of ``limit``."""
        after: str | None = None
        while True:
            page = self.standings(
                board, limit=limit, after=after, period=period, occurrence=occurrence
            )
            yield from page.standings
            after = page.next
            if after is None:
                return

    flush = _plain(AsyncScoreboard.flush)
    top = _plain(AsyncScoreboard.top)
    standings = _plain(AsyncScoreboard.standings)
    rank_of = _plain(AsyncScoreboard.rank_of)
    user = _plain(AsyncScoreboard.user)
    history = _plain(AsyncScoreboard.history)
    explain = _plain(AsyncScoreboard.explain)
    around = _plain(AsyncScoreboard.around)
    lookup = _plain(AsyncScoreboard.lookup)
    find = _plain(AsyncScoreboard.find)
    describe = _plain(AsyncScoreboard.describe)
    occurrences = _plain(AsyncScoreboard.occurrences)
    boards = _plain(AsyncScoreboard.boards)
    join = _plain(AsyncScoreboard.join)
    profile = _plain(AsyncScoreboard.profile)
    set_profile = _plain(AsyncScoreboard.set_profile)
    profiles = _plain(AsyncScoreboard.profiles)
