"""Names in the relay: put in once a change, and never the id of somebody who must not be named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from unittest.mock import Mock

import pytest

from scoreboard.api.live.ports import OccurrenceTop
from scoreboard.api.players.memory import ProfileMemory
from scoreboard.api.players.presentation import Presentation
from scoreboard.api.players.relay import NEWS, PresentedTops, PresentedUpdates
from scoreboard.background import end
from scoreboard.domain.profiles import KnownProfile, Player, pseudonym
from scoreboard.errors import Unavailable
from scoreboard.wire import messages
from scoreboard.wire.profiles import encode_profile
from tests.support.waiting import wait_until
from tests.unit.api.players.test_memory import Clock, Copy, Postgres, running

ADA = KnownProfile("ada", 5, "public", Player("Ada"))
EVE = KnownProfile("eve", 5, "anonymous", Player("Eve"))


class Source:
    """Updates that a test sends."""

    def __init__(self) -> None:
        self.subscribed: list[str] = []
        self.send: Callable[[str, bytes], None] | None = None
        self.lose: Callable[[str], None] | None = None

    async def subscribe(self, board: str) -> None:
        self.subscribed.append(board)

    def unsubscribe(self, board: str) -> None:
        self.subscribed.remove(board)

    async def run(
        self, on_update: Callable[[str, bytes], None], on_resubscribed: Callable[[str], None]
    ) -> None:
        self.send, self.lose = on_update, on_resubscribed
        await asyncio.Event().wait()


class Relay:
    """The updates as a hub gets them, with what is behind them."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self.clock = Clock()
        self.memory = ProfileMemory(postgres, Copy(), most=100, clock=self.clock)
        self.presentation = Presentation(self.memory, Mock())
        self.source = Source()
        self.updates = PresentedUpdates(self.source, self.presentation, self.memory)
        self.got: list[bytes] = []
        self.stale: list[str] = []

    def send(self, board: str, text: bytes) -> None:
        assert self.source.send is not None
        self.source.send(board, text)

    def users(self) -> list[list[str]]:
        """Who is in each message that the hub got."""
        return [[one["userId"] for one in json.loads(text)["topScores"]] for text in self.got]


@asynccontextmanager
async def relaying(postgres: Postgres) -> AsyncIterator[Relay]:
    relay = Relay(postgres)
    async with running(relay.memory):
        await relay.memory.of([])
        task = asyncio.create_task(
            relay.updates.run(lambda _, text: relay.got.append(text), relay.stale.append)
        )
        await wait_until(lambda: relay.source.send, description="the source is run")
        try:
            yield relay
        finally:
            await end(task)


def update(version: int, *users: str) -> bytes:
    entries = [{"userId": user, "score": 5} for user in users]
    return messages.update("arena", version, json.dumps(entries, separators=(",", ":")).encode())


async def test_without_profiles_messages_pass_as_they_are() -> None:
    async with relaying(Postgres()) as relay:
        text = update(1, "ada")
        relay.send("arena", text)
        assert relay.got == [text]
        assert relay.source.subscribed == [NEWS]


async def test_players_are_looked_up_once_and_known_from_then_on() -> None:
    async with relaying(Postgres(ADA)) as relay:
        relay.send("arena", update(1, "ada", "bob"))
        await wait_until(lambda: relay.got, description="the first message is shown")
        relay.send("arena", update(2, "bob", "ada"))
        assert relay.postgres.asked == [["ada", "bob"]]
        assert relay.users() == [["ada", "bob"], ["bob", "ada"]]
        entry = json.loads(relay.got[1])["topScores"][1]
        assert entry == {"userId": "ada", "score": 5, "player": {"displayName": "Ada"}}
        assert messages.as_snapshot(relay.got[1]).startswith(b'{"type":"snapshot","board":"arena"')


async def test_news_are_heard_on_the_way_and_shown_in_the_next_message() -> None:
    async with relaying(Postgres(ADA)) as relay:
        relay.send(NEWS, encode_profile(KnownProfile("ada", 6, "public", Player("Lovelace"))))
        relay.send("arena", update(1, "ada"))
        assert json.loads(relay.got[0])["topScores"][0]["player"] == {"displayName": "Lovelace"}
        assert relay.source.lose is not None
        relay.source.lose(NEWS)
        assert relay.memory.remembered(["ada"]) is None
        relay.source.lose("arena")
        assert relay.stale == ["arena"]


async def test_of_messages_that_wait_for_a_look_the_newest_is_shown() -> None:
    async with relaying(Postgres(ADA)) as relay:
        relay.postgres.gate.clear()
        relay.send("arena", update(1, "ada"))
        await wait_until(lambda: relay.postgres.asked, description="the look is under way")
        for version in (2, 3):
            relay.send("arena", update(version, "ada", "bob"))
        relay.postgres.gate.set()
        await wait_until(lambda: len(relay.got) == 2, description="both are shown")
        assert [messages.version_of(text) for text in relay.got] == [1, 3]


async def test_while_it_is_not_known_who_may_be_named_nothing_is_said() -> None:
    async with relaying(Postgres(EVE)) as relay:
        relay.postgres.away = True
        relay.send("arena", update(1, "eve"))
        await wait_until(lambda: relay.stale, description="the board is to be read again")
        assert relay.got == []
        relay.postgres.away = False
        relay.clock.now += 2
        relay.send("arena", update(2, "eve"))
        await wait_until(lambda: relay.got, description="the next message is shown")
        assert relay.users() == [[pseudonym(b"secret", "arena", "eve")]]


async def test_ends_of_occurrences_and_what_is_no_update_pass_or_are_read_again() -> None:
    async with relaying(Postgres(ADA)) as relay:
        for text in (messages.GONE, b'{"type":"closed","occurrence":1}'):
            relay.send("arena:week", text)
        assert len(relay.got) == 2
        relay.send("arena", b'{"topScores":[{"userId":"eve"}]}')
        relay.send("arena", b"{")
        assert len(relay.got) == 2
        assert relay.stale == ["arena", "arena"]


class Tops:
    """What the relay reads: ada with 5 everywhere."""

    READ = b'[{"userId":"ada","score":5}]'

    async def top(self, board: str, *, watched: bool) -> tuple[int, bytes]:
        return 7, self.READ

    async def latest_top(
        self, board: str, period: str, *, shown: int, watched: bool
    ) -> OccurrenceTop:
        return OccurrenceTop(2, 7, self.READ, None)

    async def occurrence_top(
        self, board: str, period: str, number: int, *, watched: bool
    ) -> OccurrenceTop:
        return OccurrenceTop(number, 7, self.READ, None)


async def test_what_the_relay_reads_is_presented_too() -> None:
    async with relaying(Postgres(ADA)) as relay:
        tops = PresentedTops(Tops(), relay.presentation)
        shown = b'[{"userId":"ada","score":5,"player":{"displayName":"Ada"}}]'
        assert await tops.top("arena", watched=True) == (7, shown)
        latest = await tops.latest_top("arena", "week", shown=0, watched=True)
        assert latest == OccurrenceTop(2, 7, shown, None)
        first = await tops.occurrence_top("arena", "week", 1, watched=True)
        assert first == OccurrenceTop(1, 7, shown, None)


async def test_what_the_relay_can_not_show_it_does_not_read() -> None:
    async with relaying(Postgres(EVE)) as relay:
        tops = PresentedTops(Tops(), relay.presentation)
        relay.postgres.away = True
        with pytest.raises(Unavailable):
            await tops.top("arena", watched=True)
