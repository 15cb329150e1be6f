"""The watched players of a table, and where they stand: read together, once in an interval."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, TypeAlias

import structlog

from scoreboard.api.live.feeds import Feed
from scoreboard.api.live.ports import PlaceReader, PlayerViews
from scoreboard.api.live.watched_players import WatchedPlayer
from scoreboard.background import end, result_of
from scoreboard.domain.passings import Passing, Passings
from scoreboard.errors import ScoreboardError
from scoreboard.telemetry import metrics
from scoreboard.wire.places import MOST_MOVES, Place, Places, RawPlace, parse_place
from scoreboard.wire.player_messages import about

log = structlog.get_logger(__name__)

CHUNK = 100  # players of a read, which keeps Redis for less than a millisecond
NOTE_AGAIN = 10.0  # seconds until Redis is asked again to note who moves
SHOW_AGAIN = 10.0  # seconds until it is looked again how all are shown: news may have been lost
LINGER = 30.0  # seconds for which a player is kept whom nobody watches any more
MOST_READS = 10  # of further moves in an interval

_ELSEWHERE: list[bytes] = []  # in place of what was read of another table


# A player of whom something is new: what was read, what that means, and who passed.
_Changed: TypeAlias = tuple[WatchedPlayer, RawPlace, Place | None, Passing | None]


class PlayerFeed:
    """Tells of the watched players of what a top's feed shows, whatever table that is. ``count``
    is told how many more, or less, there are."""

    def __init__(
        self,
        top: Feed,
        reader: PlaceReader,
        views: PlayerViews,
        *,
        interval: float,
        count: Callable[[int], None],
    ) -> None:
        self.top = top  # whoever opens this brings the present one
        self._reader = reader
        self._views = views
        self._interval = interval
        self._count = count
        self._watched: dict[tuple[str, bool], WatchedPlayer] = {}
        self._unread: list[WatchedPlayer] = []
        self._first_reads: asyncio.Task[None] | None = None
        self._firsts = 0  # how many there were
        self._table = top.table
        self._about: dict[str, Any] = about(self._table)
        self._turn = asyncio.Lock()  # of reads, which take moves in order
        self._state = b""  # of the table when all were told; empty: they may not be
        self._latest = Places(b"")  # what was read last that was no repetition
        self._note_at = -inf  # loop time
        self._cursor = b""  # the id behind which moves are unknown; empty: none are noted
        self._moves: list[bytes] = []  # as Places has them
        self._begin = 0  # the place of the first of them in all that there ever were
        self._news = views.news
        self._show_at = inf
        self._fails = False

    def new_among(self, sought: Sequence[tuple[str, bool]]) -> int:
        """How many of them are not watched yet."""
        return sum(key not in self._watched for key in sought)

    async def watch(self, sought: Sequence[tuple[str, bool]]) -> list[WatchedPlayer]:
        """These users, each with whether it is seen in any case, once it was read where they stand.
        Who comes while a read is under way shares the next. Raises NotFound of some kind,
        BoardCold, Unavailable."""
        now = asyncio.get_running_loop().time()
        players = []
        for key in sought:
            player = self._watched.get(key)
            if player is None:
                player = self._watched[key] = WatchedPlayer(*key, now)
                self._unread.append(player)
                self._count(1)
            players.append(player)
        while any(player.raw is None for player in players):
            if self._first_reads is None or self._first_reads.done():
                self._first_reads = asyncio.create_task(self._read_unread())
            await result_of(self._first_reads)
        return players

    async def run(self) -> None:
        """Tells what changes until nobody is watched."""
        try:
            await self._tell_until_unwatched()
        finally:
            if self._first_reads is not None:
                await end(self._first_reads)

    async def _tell_until_unwatched(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._watched:
            due = max(due + self._interval, loop.time())  # what is late is not caught up with
            await asyncio.sleep(due - loop.time())
            try:
                await self._tell_all(loop.time())
                self._fails = False
            except Exception as error:
                self._lose_moves()
                if not self._fails:
                    self._fails = True
                    known = isinstance(error, ScoreboardError)
                    log.warning(
                        "standings_not_read",
                        board=self._table,
                        error=str(error),
                        exc_info=not known,
                    )
            self._drop_unwatched(loop.time())

    async def _tell_all(self, now: float) -> None:
        if self.top.table != self._table:
            self._follow(self.top.table)
        await self._have_moves_noted(now)
        news = self._views.news
        shown_anew = news != self._news or now >= self._show_at
        settled = [player for player in self._watched.values() if player.raw is not None]
        known, self._state, firsts = self._state, b"", self._firsts
        state, upto, passings, changed = known, self._begin, _PassingsSince(), True
        for start in range(0, len(settled), CHUNK):
            some = settled[start : start + CHUNK]
            found = None
            if changed:
                found = await self._read(some, known=b"" if start else known, moves=not start)
            if found is not None and not start:
                state, changed = found.state, found.places is not None
                upto = self._begin + len(self._moves)
                passings = _PassingsSince(self._moves, self._begin)
            if found is None or found.places is None:
                if not shown_anew:
                    break
                places = [player.raw or b"" for player in some]
                found = self._latest._replace(places=places)
            await self._tell(some, found, passings, upto, shown_anew=shown_anew)
        self._news = news
        if firsts == self._firsts:
            self._state = state
        if shown_anew or self._show_at == inf:
            self._show_at = now + SHOW_AGAIN
        if changed:
            del self._moves[: max(0, upto - self._begin)]
            self._begin = max(upto, self._begin)

    async def _read_unread(self) -> None:
        some, self._unread = self._unread[:CHUNK], self._unread[CHUNK:]
        try:
            await self._have_moves_noted(asyncio.get_running_loop().time())
            found = await self._read(some, moves=True)
            upto = self._begin + len(self._moves)
            await self._tell(some, found, _PassingsSince(), upto, shown_anew=False)
            self._firsts += 1
            self._state = b""  # they may have been read before the others were
        except BaseException:
            for player in some:
                del self._watched[player.user, player.sees]
            self._count(-len(some))
            raise

    async def _read(
        self, players: Sequence[WatchedPlayer], *, known: bytes = b"", moves: bool = False
    ) -> Places:
        """Where they stand; with ``moves``, what moved until then is known as well."""
        users = [player.user for player in players]
        async with self._turn:
            while True:
                table = self._table
                since = self._cursor if moves else b""
                found = await self._reader.places(table, users, known=known, since=since)
                if table == self._table:
                    break
            if found.places is None:
                return found
            self._latest = found
            if since and not found.last:  # Redis was emptied meanwhile
                self._lose_moves()
                await self._have_moves_noted(asyncio.get_running_loop().time())
                return found
            more, reads = found, 0
            while since and more.places is not None and self._cursor == since:
                self._moves += more.moves
                self._cursor = since = more.last
                if more.looked < MOST_MOVES or reads == MOST_READS:
                    break
                reads += 1
                more = await self._reader.places(table, (), known=b"", since=since)
            return found

    async def _tell(
        self,
        players: Sequence[WatchedPlayer],
        found: Places,
        passings: _PassingsSince,
        upto: int,
        *,
        shown_anew: bool,
    ) -> None:
        """Tells of those of whom something is new; all moves before ``upto`` are known."""
        assert found.places is not None
        changed: list[_Changed] = []
        for player, raw in zip(players, found.places, strict=True):
            before = player.zset_score
            same = raw == player.raw
            place = None if same else parse_place(raw, found.players, found.sign)
            now = before if same else place and place.zset_score
            passing = None
            if player.since < upto and before is not None and now is not None:
                passing = passings.of(player, now, shared=found.shared)
            if same:
                if not (passing or shown_anew) and player.share_is_told(found.players):
                    player.since = upto
                    continue
                place = parse_place(raw, found.players, found.sign)
            changed.append((player, raw, place, passing))
        if not changed:
            return
        users = _users_of(changed) if self._views.needed else ()
        seen = await self._views.seen(self._table, users, None)
        at = _now()
        written = size = passed = 0
        for player, raw, place, passing in changed:
            player.raw, player.since = raw, upto
            player.zset_score = place and place.zset_score
            player.percentile = place and place.percentile
            if not player.sees and seen.conceals(player.user):
                place = passing = None
            frame = player.stand(place, self._about, seen, at)
            if place is not None and passing is not None:
                told = player.overtaken(place, passing, self._about, seen, at)
                frame += told
                passed += bool(told)
            if frame:
                for connection in tuple(player.connections):
                    if connection.tell(player, frame):
                        written += 1
                        size += len(frame)
        metrics.standings_written.inc(written)
        metrics.bytes_written.inc(size)
        metrics.overtakings.inc(passed)

    def _follow(self, table: str) -> None:
        """Goes on to another table."""
        self._table, self._about, self._state = table, about(table), b""
        self._lose_moves()
        for player in self._watched.values():
            if player.raw is not None:
                player.raw, player.zset_score = _ELSEWHERE, None

    async def _have_moves_noted(self, now: float) -> None:
        if now < self._note_at and self._cursor:
            return
        try:
            noted = await self._reader.watch(self._table)
        except ScoreboardError:
            return  # while Redis takes no writes; nobody is said to be overtaken then
        self._cursor = self._cursor or noted
        self._note_at = now + NOTE_AGAIN

    def _lose_moves(self) -> None:
        """Goes on with those that are noted from now on."""
        self._begin += len(self._moves)
        self._moves.clear()
        self._cursor = b""
        for player in self._watched.values():
            player.since = self._begin

    def _drop_unwatched(self, now: float) -> None:
        gone = [
            key
            for key, player in self._watched.items()
            if not player.connections
            and player.idle_since + LINGER <= now
            and player.raw is not None
        ]
        for key in gone:
            del self._watched[key]
        self._count(-len(gone))


class _PassingsSince:
    """Who passed whom since players were read; almost all of them at the same place."""

    def __init__(self, moves: Sequence[bytes] = (), begin: int = 0) -> None:
        self._moves = tuple(moves)
        self._begin = begin
        self._known: dict[int, Passings] = {}

    def of(self, player: WatchedPlayer, now: float, *, shared: bool) -> Passing | None:
        """Who passed the player, who has another zset score ``now``."""
        passings = self._known.get(player.since)
        if passings is None:
            passings = Passings(self._moves[max(0, player.since - self._begin) :])
            self._known[player.since] = passings
        assert player.zset_score is not None
        return passings.of(player.key, player.zset_score, now, shared=shared)


def _users_of(changed: Iterable[_Changed]) -> set[str]:
    """All whom the messages about these players name."""
    users = set()
    for player, _, place, passing in changed:
        users.add(player.user)
        if place is not None:
            users.update(one.user_id for one in (place.above, place.below) if one)
        if passing is not None:
            users.add(passing.by)
    return users


def _now() -> bytes:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].encode() + b"Z"
