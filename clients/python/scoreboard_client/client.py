"""The client for asyncio."""

from __future__ import annotations

import random as _random
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self
from weakref import WeakSet

from scoreboard_client.calls import Calls, Query, TokenProvider, Tokens, moment, segment
from scoreboard_client.clocks import Clock, SystemClock
from scoreboard_client.decoding import decoded
from scoreboard_client.journal import MemoryStore, Store
from scoreboard_client.outbox import Action, Outbox, Outcome, Retry, Submission
from scoreboard_client.transport import AiohttpTransport, Transport
from scoreboard_client.types import (
    BoardPage,
    DescribedBoard,
    Explanation,
    FoundOnBoard,
    History,
    Joined,
    Lookup,
    Neighbours,
    OccurrencePage,
    ProfileList,
    ScoreRank,
    Standing,
    StandingsPage,
    TopScores,
    UserPlace,
    UserProfile,
)
from scoreboard_client.watch import Watch


class AsyncScoreboard:
    """A service at ``url``. Use it as ``async with``, or call ``open`` and ``close``.

    ``token`` gives a token, and is called again when the service refuses it. ``board`` is the one
    of calls that name none. With a ``store``, such as
    ``Journal("scores.journal")``, actions survive the end of the process. ``on_settled`` is told
    of each action that counts or is refused, those of an earlier life as well, and ``on_retry`` of
    each attempt that failed. An answer may take ``timeout`` seconds, and a call has up to ``most``
    actions. ``random`` gives numbers from 0 to 1."""

    def __init__(
        self,
        url: str,
        *,
        token: TokenProvider | None = None,
        board: str = "global",
        store: Store | None = None,
        on_settled: Callable[[Action, Outcome], None] | None = None,
        on_retry: Callable[[Retry], None] | None = None,
        timeout: float = 10.0,
        most: int = 100,
        transport: Transport | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._url = url
        self._board = board
        self._transport = transport or AiohttpTransport()
        self._clock = clock or SystemClock()
        self._random = random
        self._tokens = Tokens(token)
        self._calls = Calls(url, self._tokens, self._transport, self._clock, timeout)
        self._watches: WeakSet[Watch] = WeakSet()
        self._outbox = Outbox(
            self._calls,
            store or MemoryStore(),
            self._clock,
            random,
            most=most,
            on_settled=on_settled,
            on_retry=on_retry,
        )

    async def open(self) -> Self:
        """Begins to send what the store has kept."""
        self._outbox.begin()
        return self

    async def close(self) -> None:
        """Ends all watches and stops sending. What is not settled stays in the store."""
        for watch in list(self._watches):
            await watch.close()
        await self._outbox.close()
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def submit(
        self,
        user_id: str,
        points: int,
        action_id: str | None = None,
        *,
        board: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> Submission:
        """Keeps the action, and sends it until an answer settles it. Awaiting what it returns gives
        what the action counted as. Without ``action_id`` a new one is made. Raises OSError when the
        store can't keep it."""
        return self._outbox.submit(
            Action(board or self._board, user_id, action_id or str(uuid.uuid4()), points, context)
        )

    @property
    def waiting(self) -> int:
        """How many actions are not settled yet."""
        return self._outbox.waiting

    async def flush(self) -> None:
        """Returns when all actions are settled."""
        await self._outbox.flush()

    def watch(
        self,
        board: str | None = None,
        *,
        period: str | None = None,
        occurrence: int | str | None = None,
        players: str | Iterable[str] = (),
    ) -> Watch:
        """The board as it changes: ``async for event in client.watch():``. ``players`` are up to
        50 users, or one, whose standings it tells as well, and who passed them."""
        watch = Watch(
            self._url,
            board or self._board,
            period,
            occurrence,
            [players] if isinstance(players, str) else list(players),
            calls=self._calls,
            tokens=self._tokens,
            transport=self._transport,
            clock=self._clock,
            random=self._random,
        )
        self._watches.add(watch)
        return watch

    async def top(
        self,
        board: str | None = None,
        *,
        at: datetime | str | None = None,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> TopScores:
        """The first of the board, now or as they were ``at`` a moment."""
        query = {"at": moment(at)} | _table(period, occurrence)
        return decoded(TopScores, await self._get(board, "/top", query))

    async def standings(
        self,
        board: str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
        min_score: int | None = None,
        rank: int | None = None,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> StandingsPage:
        """A page of the whole table: from the top, behind the cursor ``after``, or beginning with
        ``min_score`` or ``rank``."""
        place = {"limit": limit, "after": after, "minScore": min_score, "rank": rank}
        query = place | _table(period, occurrence)
        return decoded(StandingsPage, await self._get(board, "/standings", query))

    async def table(
        self,
        board: str | None = None,
        *,
        limit: int = 1_000,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> AsyncIterator[Standing]:
        """All users, best first, read in pages of ``limit``."""
        after: str | None = None
        while True:
            page = await self.standings(
                board, limit=limit, after=after, period=period, occurrence=occurrence
            )
            for standing in page.standings:
                yield standing
            after = page.next
            if after is None:
                return

    async def rank_of(
        self,
        score: int,
        board: str | None = None,
        *,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> ScoreRank:
        """Where a newcomer with this score would stand."""
        query = {"score": score} | _table(period, occurrence)
        return decoded(ScoreRank, await self._get(board, "/rank", query))

    async def user(
        self,
        user_id: str,
        board: str | None = None,
        *,
        at: datetime | str | None = None,
        delta: bool = False,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> UserPlace:
        """A user's place, now or as it was ``at`` a moment; of now, ``delta`` tells as well what
        has changed since the day and each period began. Raises Refused ``unknown_user``."""
        when = {"at": moment(at), "delta": "true" if delta else None}
        query = _table(period, occurrence) | when
        return decoded(UserPlace, await self._get(board, f"/users/{segment(user_id)}", query))

    async def history(
        self,
        user_id: str,
        board: str | None = None,
        *,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        resolution: Literal["hour", "day"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> History:
        """A page of what a user did between two moments, newest first: ``actions`` with the score
        after each or, with a ``resolution``, ``scores`` of hours or days, as a chart needs them."""
        when = {"from": moment(from_), "to": moment(to), "resolution": resolution}
        query = when | {"limit": limit, "after": after} | _table(period, occurrence)
        return decoded(History, await self._get(board, f"/users/{segment(user_id)}/history", query))

    async def explain(
        self,
        user_id: str,
        board: str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> Explanation:
        """Why a user stands where: the actions that make the total, a page of them, and what
        decides between the user and the neighbours. For the player's own token and those of
        servers."""
        query = {"limit": limit, "after": after} | _table(period, occurrence)
        path = f"/users/{segment(user_id)}/explain"
        return decoded(Explanation, await self._get(board, path, query))

    async def around(
        self,
        user_id: str,
        board: str | None = None,
        *,
        radius: int | None = None,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> Neighbours:
        """The user and those around. Raises Refused ``unknown_user``."""
        query = {"radius": radius} | _table(period, occurrence)
        path = f"/users/{segment(user_id)}/around"
        return decoded(Neighbours, await self._get(board, path, query))

    async def lookup(
        self,
        user_ids: Iterable[str],
        board: str | None = None,
        *,
        sort: Literal["rank"] | None = None,
        day: bool = False,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> Lookup:
        """The places of up to 500 users, such as friends, in their order or, with ``sort``, by rank
        and each with its ``place`` among them. ``day`` tells the ranks as the day began as well."""
        body = {"userIds": list(user_ids)}
        path = f"{self._path(board)}/users:lookup"
        query = {"sort": sort, "day": "true" if day else None} | _table(period, occurrence)
        return decoded(Lookup, await self._calls.call("POST", path, body, query))

    async def find(
        self,
        name: str,
        board: str | None = None,
        *,
        limit: int | None = None,
        period: str | None = None,
        occurrence: int | str | None = None,
    ) -> FoundOnBoard:
        """The users of the board whose names begin so, whatever the capitals, by rank; nobody who
        is anonymous or hidden. There are others where ``more`` is true."""
        query = {"name": name, "limit": limit} | _table(period, occurrence)
        return decoded(FoundOnBoard, await self._get(board, "/users", query))

    async def describe(self, board: str | None = None) -> DescribedBoard:
        """The board's rules, how many users it shows, and its periods."""
        return decoded(DescribedBoard, await self._get(board, "", {}))

    async def occurrences(
        self,
        period: str,
        board: str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> OccurrencePage:
        """A page of the period's occurrences, newest first."""
        path = f"/periods/{segment(period)}/occurrences"
        query: Query = {"limit": limit, "after": after}
        return decoded(OccurrencePage, await self._get(board, path, query))

    async def boards(
        self, *, prefix: str | None = None, limit: int | None = None, after: str | None = None
    ) -> BoardPage:
        """A page of the boards that there are, by name."""
        query: Query = {"prefix": prefix, "limit": limit, "after": after}
        return decoded(BoardPage, await self._calls.call("GET", "/api/boards", query=query))

    async def join(self, user_id: str, board: str | None = None) -> Joined:
        """Lets a user into a board that wants this before play; again does no harm."""
        path = f"{self._path(board)}/join"
        return decoded(Joined, await self._calls.call("POST", path, {"userId": user_id}))

    async def profile(self, user_id: str) -> UserProfile:
        """A player's profile. Raises Refused ``unknown_profile``."""
        return decoded(UserProfile, await self._calls.call("GET", _profile(user_id)))

    async def set_profile(
        self,
        user_id: str,
        *,
        display_name: str | None = None,
        avatar_url: str | None = None,
        country: str | None = None,
        visibility: Literal["public", "anonymous", "hidden"] = "public",
        metadata: dict[str, Any] | None = None,
    ) -> UserProfile:
        """Sets all of a player's profile; what is left out is not shown any more."""
        body = {
            "displayName": display_name,
            "avatarUrl": avatar_url,
            "country": country,
            "visibility": visibility,
            "metadata": metadata,
        }
        given = {name: value for name, value in body.items() if value is not None}
        return decoded(UserProfile, await self._calls.call("PUT", _profile(user_id), given))

    async def profiles(self, user_ids: Iterable[str]) -> ProfileList:
        """The profiles of up to 500 users."""
        body = {"userIds": list(user_ids)}
        return decoded(ProfileList, await self._calls.call("POST", "/api/users:lookup", body))

    def _path(self, board: str | None) -> str:
        return f"/api/boards/{segment(board or self._board)}"

    async def _get(self, board: str | None, path: str, query: Query) -> Any:
        return await self._calls.call("GET", f"{self._path(board)}{path}", query=query)


def _profile(user_id: str) -> str:
    return f"/api/users/{segment(user_id)}"


def _table(period: str | None, occurrence: int | str | None) -> dict[str, str | int | None]:
    """Which of a board's tables is meant: that of all time, or a period's current or named one."""
    return {"period": period, "occurrence": occurrence}
