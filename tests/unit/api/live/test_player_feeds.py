"""Feeds of players, with the board, profiles and sockets behind their Protocols, for what is slow
to provoke with real ones."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from aiohttp import web
from msgspec import UNSET, UnsetType

from scoreboard.api.live.feeds import Feed
from scoreboard.api.live.player_connections import PlayerConnection
from scoreboard.api.live.slow_clients import SlowClients
from scoreboard.api.live.standings import Standings
from scoreboard.api.live.watched_players import WatchedPlayer
from scoreboard.domain.profiles import Player
from scoreboard.domain.standings import Next
from scoreboard.errors import Unavailable
from scoreboard.settings import Settings
from scoreboard.wire.places import Places, RawPlace
from tests.support.waiting import wait_until
from tests.unit.api.live.test_hub import Transport

SETTINGS = Settings(standing_interval=0.01, write_timeout=600)


class Board:
    """A table of scores, and a note of how it was read."""

    def __init__(self, scores: dict[str, int]) -> None:
        self.scores = scores
        self.state = 0
        self.moves: list[bytes] = []
        self.reads: list[tuple[int, bool]] = []  # how many users, and whether all was as known
        self.fails: Exception | None = None

    async def watch(self, table: str) -> bytes:
        return b"0"

    async def places(
        self, table: str, users: Sequence[str], *, known: bytes, since: bytes
    ) -> Places:
        await asyncio.sleep(0)
        state = b"%d" % self.state
        self.reads.append((len(users), known == state))
        if self.fails:
            raise self.fails
        if known == state:
            return Places(state)
        ranked = sorted(self.scores, key=lambda user: -self.scores[user])
        moves = self.moves[int(since or 0) :]
        last, places = b"%d" % len(self.moves), [self._place(ranked, user) for user in users]
        return Places(state, len(ranked), 1, False, last, len(moves), moves, places=places)

    def _place(self, ranked: list[str], user: str) -> RawPlace:
        if user not in ranked:
            return b""
        place = ranked.index(user)
        around = ranked[max(0, place - 1) : place + 2]
        above = b"%d" % place if place else b""
        below = b"%d" % (place + 2) if place + 1 < len(ranked) else b""
        raw = [b"%d" % (place + 1), above, below]
        for one in around:
            raw += [one.encode(), b"%d" % self.scores[one]]
        return raw

    def score(self, user: str, score: int) -> None:
        before = self.scores.get(user)
        self.moves += [
            user.encode(),
            b"-inf" if before is None else b"%d" % before,
            b"%d" % score,
        ]
        self.scores[user] = score
        self.state += 1


class Seen:
    """Everybody, by id."""

    def next(self, above: Next | None) -> Next | None:
        return above

    def player(self, user: str) -> Player | UnsetType:
        return UNSET

    def conceals(self, user: str) -> bool:
        return False

    def shown(self, user: str) -> tuple[str, Player | UnsetType] | None:
        return user, UNSET


class Views:
    news = 0
    needed = False

    async def seen(self, table: str, users: Iterable[str], request: web.Request | None) -> Seen:
        return Seen()


def connected(
    feed: Feed, players: list[WatchedPlayer], keeper: Any = None
) -> tuple[PlayerConnection, Transport]:
    """A client that follows these players, and its socket."""
    connection = PlayerConnection(keeper or Mock(), feed, None, players)
    transport = Transport(connection)
    connection.transport = transport
    connection.version = 0
    connection.follow()
    return connection, transport


@pytest.fixture
def board() -> Board:
    return Board({f"u{n:03}": 1000 - n for n in range(250)})


@pytest.fixture
async def standings(board: Board) -> AsyncIterator[Standings]:
    made = Standings(board, Views(), SETTINGS)
    yield made
    await made.close()


def sought(*users: str) -> list[tuple[str, bool]]:
    return [(user, False) for user in users]


def ranks(transport: Transport) -> list[Any]:
    return [one["rank"] for one in transport.received if one["type"] == "standing"]


def is_at(transport: Transport, rank: int) -> bool:
    return bool(ranks(transport)[-1] == rank)


async def test_all_watched_players_are_read_together_and_only_when_the_board_has_changed(
    board: Board, standings: Standings
) -> None:
    feed = Feed("global", now=0.0)
    opened = await asyncio.gather(*(standings.open(feed, sought(user)) for user in board.scores))
    assert len(board.reads) < 25, "who comes meanwhile shares a read"
    clients = [connected(feed, players) for players in opened]
    twins = [connected(feed, opened[7]) for _ in range(3)]

    await wait_until(lambda: board.reads[-3:] == [(100, True)] * 3, description="all is told")
    board.reads.clear()
    board.score("u249", 2000)
    told = [transport for _, transport in (*clients, *twins)]
    await wait_until(
        lambda: all(len(ranks(transport)) == 2 for transport in told), description="all are told"
    )
    changed = [read for read in board.reads if not read[1]]
    assert changed == [(100, False), (100, False), (50, False)]
    assert ranks(clients[0][1]) == [1, 2]
    assert [ranks(transport) for _, transport in twins] == [[8, 9]] * 3
    passings = [one for one in clients[5][1].received if one["type"] == "overtaken"]
    assert [(one["by"], one["rank"]) for one in passings] == [({"userId": "u249", "gap": 1005}, 7)]
    assert not [one for one in clients[249][1].received if one["type"] == "overtaken"]


class Hesitant(Views):
    """Takes its time to say how this user is shown."""

    needed = True

    def __init__(self, user: str) -> None:
        self._user = user
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def seen(self, table: str, users: Iterable[str], request: web.Request | None) -> Seen:
        if self._user in users:
            self.asked.set()
            await self.answers.wait()
        return Seen()


async def test_a_change_while_a_player_is_read_for_the_first_time_is_told(board: Board) -> None:
    feed, views = Feed("global", now=0.0), Hesitant("u001")
    standings = Standings(board, views, SETTINGS)
    _, other = connected(feed, await standings.open(feed, sought("u100")))
    opening = asyncio.create_task(standings.open(feed, sought("u001")))
    await views.asked.wait()
    board.score("u249", 2000)
    await wait_until(lambda: is_at(other, 102), description="the other player's is told")
    await wait_until(lambda: board.reads[-1] == (1, True), description="nothing more is new")
    views.answers.set()
    _, late = connected(feed, await opening)
    await wait_until(lambda: is_at(late, 3), description="the late one's is told")
    await standings.close()


async def test_a_stalled_client_holds_up_nobody_and_wakes_to_the_newest_standing(
    board: Board, standings: Standings
) -> None:
    feed = Feed("global", now=0.0)
    players = await standings.open(feed, sought("u001"))
    slow = SlowClients(600)
    keeper = Mock(watch=slow.add)
    running = asyncio.create_task(slow.run())
    _, reading = connected(feed, players)
    _, stalled = connected(feed, players, keeper)
    stalled.reads = False
    for place, newcomer in enumerate(("a", "b", "c"), 3):
        board.score(newcomer, 2000 + place)
        await wait_until(
            functools.partial(is_at, reading, place), description="the other one is told"
        )
    held = len(stalled.waiting)
    stalled.reads = True
    stalled.drain()
    await wait_until(lambda: ranks(stalled)[-1] == 5, description="the newest has come")
    running.cancel()

    assert ranks(reading) == [2, 3, 4, 5]
    assert ranks(stalled) == [2, 3, 5], "one was in its buffer, and none is kept besides"
    assert held < 600


async def test_a_board_that_cannot_be_read_is_asked_once_in_an_interval_and_told_later(
    board: Board, standings: Standings
) -> None:
    feed = Feed("global", now=0.0)
    players = await standings.open(feed, sought("u001", "u002"))
    _, transport = connected(feed, players)
    board.fails = Unavailable("Redis can't be reached.")
    board.score("new", 2000)
    began, reads = asyncio.get_running_loop().time(), len(board.reads)
    await wait_until(lambda: len(board.reads) > reads + 5, description="it was tried often")
    elapsed = asyncio.get_running_loop().time() - began
    assert len(board.reads) - reads <= elapsed / SETTINGS.standing_interval + 2
    with pytest.raises(Unavailable):
        await standings.open(feed, sought("u003"))
    board.fails = None

    await wait_until(lambda: ranks(transport)[2:] == [3, 4], description="it is told")
    again = await standings.open(feed, sought("u003"))
    assert msgspec.json.decode(again[0].text + b'"}')["rank"] == 5


async def test_another_table_is_told_anew_and_its_moves_are_not_mixed_with_the_others(
    board: Board, standings: Standings
) -> None:
    feed = Feed("global", now=0.0)
    players = await standings.open(feed, sought("u001"))
    _, transport = connected(feed, players)
    board.score("new", 2000)
    feed.board = "global:week:2"
    board.scores = {"u001": 1}
    board.state += 1
    await wait_until(lambda: ranks(transport)[-1] == 1, description="it is told")

    last = transport.received[-1]
    assert (last["type"], last["period"], last["occurrence"]) == ("standing", "week", 2)
    of_week = [one for one in transport.received if "period" in one]
    assert {one["type"] for one in of_week} == {"standing"}
