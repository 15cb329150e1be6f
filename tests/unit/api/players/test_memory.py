"""What a process remembers of profiles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest

from scoreboard.api.players import memory as memories
from scoreboard.api.players.memory import FRESH, PAUSE, ProfileMemory
from scoreboard.background import end
from scoreboard.domain.profiles import KnownProfile, Player, Privacy
from scoreboard.errors import Unavailable
from scoreboard.wire.profiles import encode_profile
from tests.support.waiting import PATIENCE as WAIT
from tests.support.waiting import wait_until

ADA = KnownProfile("ada", 5, "public", Player("Ada"))


class Postgres:
    """The profiles of a database that may be away. ``asked`` are the users of each look, which ends
    when the ``gate`` is open."""

    def __init__(self, *profiles: KnownProfile) -> None:
        self.profiles = {one.user_id: one for one in profiles}
        self.away = False
        self.asked: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def known(self, users: Collection[str]) -> dict[str, KnownProfile]:
        self._check()
        self.asked.append(sorted(users))
        found = {user: self.profiles.get(user, KnownProfile(user)) for user in users}
        await self.gate.wait()
        return found

    async def privacy(self) -> Privacy:
        self._check()
        values = self.profiles.values()
        return Privacy(bool(values), any(one.visibility != "public" for one in values))

    async def secret(self) -> bytes:
        self._check()
        return b"secret"

    def _check(self) -> None:
        if self.away:
            raise Unavailable("Postgres is away.")


class Copy:
    """The copy in Redis."""

    def __init__(self, kept: Privacy | None = None) -> None:
        self.kept = kept

    async def privacy(self) -> Privacy | None:
        return self.kept

    async def keep(self, privacy: Privacy) -> None:
        self.kept = privacy


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(memory: ProfileMemory) -> AsyncIterator[ProfileMemory]:
    task = asyncio.create_task(memory.run())
    try:
        yield memory
    finally:
        await end(task)


@asynccontextmanager
async def opened(
    postgres: Postgres, clock: Clock | None = None, *, most: int = 100
) -> AsyncIterator[ProfileMemory]:
    """A memory that has read whether there is anybody to know, and knows ada."""
    memory = ProfileMemory(postgres, Copy(), most=most, clock=clock or Clock())
    async with running(memory):
        await memory.of(["ada"])
        yield memory


async def test_without_any_profile_nothing_is_looked_up() -> None:
    postgres = Postgres()
    async with opened(postgres) as memory:
        assert not memory.needed
        assert not memory.private
        assert await memory.of(["ada", "bob"]) == {}
        assert postgres.asked == []


async def test_users_are_looked_up_once_with_and_without_a_profile() -> None:
    postgres = Postgres(ADA)
    async with opened(postgres) as memory:
        for _ in range(2):
            assert await memory.of(["ada", "bob"]) == {"ada": ADA, "bob": KnownProfile("bob")}
        assert postgres.asked == [["ada"], ["bob"]]
        assert memory.remembered(["bob", "ada"]) == {"bob": KnownProfile("bob"), "ada": ADA}
        assert memory.remembered(["ada", "cy"]) is None


async def test_news_are_known_at_once_and_older_ones_change_nothing() -> None:
    async with opened(Postgres(ADA)) as memory:
        newer = KnownProfile("ada", 6, "anonymous", Player("Lovelace"))
        memory.learn(encode_profile(newer))
        memory.learn(encode_profile(ADA))
        assert await memory.of(["ada"]) == {"ada": newer}
        assert memory.private


async def test_news_of_the_first_profile_are_enough_to_show_it() -> None:
    async with opened(Postgres()) as memory:
        memory.learn(encode_profile(ADA))
        assert memory.needed
        assert await memory.of(["ada"]) == {"ada": ADA}


async def test_a_look_that_was_overtaken_by_news_does_not_undo_them() -> None:
    postgres = Postgres(ADA)
    async with opened(postgres) as memory:
        memory.forget()
        postgres.gate.clear()
        look = asyncio.create_task(memory.of(["ada"]))
        await wait_until(lambda: len(postgres.asked) == 2, description="the look is under way")
        newer = KnownProfile("ada", 6, "hidden")
        memory.learn(encode_profile(newer))
        postgres.gate.set()
        assert await look == {"ada": newer}
        assert await memory.of(["ada"]) == {"ada": newer}


async def test_what_was_looked_up_before_a_loss_of_news_is_not_remembered() -> None:
    postgres = Postgres(ADA)
    async with opened(postgres) as memory:
        memory.forget()
        postgres.gate.clear()
        look = asyncio.create_task(memory.of(["ada"]))
        await wait_until(lambda: len(postgres.asked) == 2, description="the look is under way")
        memory.forget()
        postgres.gate.set()
        assert await look == {"ada": ADA}
        assert memory.remembered(["ada"]) is None


async def test_what_is_remembered_is_looked_up_again_after_a_while() -> None:
    postgres, clock = Postgres(ADA), Clock()
    async with opened(postgres, clock) as memory:
        postgres.profiles["ada"] = KnownProfile("ada", 6, "public", Player("Lovelace"))
        clock.now += FRESH
        assert (await memory.of(["ada"]))["ada"] == ADA
        clock.now += 0.1
        assert memory.remembered(["ada"]) is None
        assert (await memory.of(["ada"]))["ada"].revision == 6


async def test_the_memory_is_bounded() -> None:
    postgres = Postgres(ADA)
    async with opened(postgres, most=10) as memory:
        for i in range(200):
            await memory.of([f"u{i}"])
            await memory.of(["ada"])
        assert postgres.asked.count(["ada"]) == 1  # who is asked for often stays
        remembered = [i for i in range(200) if memory.remembered([f"u{i}"]) is not None]
        assert 9 <= len(remembered) <= 19


async def test_while_postgres_is_away_names_are_left_out() -> None:
    postgres, clock = Postgres(ADA), Clock()
    async with opened(postgres, clock) as memory:
        postgres.away = True
        assert await memory.of(["ada", "bob"]) == {"ada": ADA}
        clock.now += FRESH + 1
        assert await memory.of(["ada"]) == {"ada": ADA}  # old, and the best there is


async def test_reads_do_not_wait_for_a_postgres_that_has_become_silent() -> None:
    postgres, clock = Postgres(ADA), Clock()
    async with opened(postgres, clock) as memory:
        postgres.away = True
        clock.now += FRESH + 1
        assert await memory.of(["ada"]) == {"ada": ADA}
        postgres.away = False
        postgres.gate.clear()
        clock.now += PAUSE
        async with asyncio.timeout(WAIT):
            assert await memory.of(["ada"]) == {"ada": ADA}
        postgres.profiles["ada"] = KnownProfile("ada", 6)
        clock.now += PAUSE
        again = asyncio.create_task(memory.of(["ada"]))
        await wait_until(lambda: len(postgres.asked) == 3, description="Postgres is asked again")
        await again
        postgres.gate.set()
        await wait_until(
            lambda: (found := memory.remembered(["ada"])) and found["ada"].revision == 6,
            description="what was found late is remembered",
        )


async def test_while_postgres_is_away_nobody_is_shown_who_may_be_private() -> None:
    postgres, clock = Postgres(KnownProfile("eve", 1, "anonymous")), Clock()
    async with opened(postgres, clock) as memory:
        postgres.away = True
        assert await memory.of(["ada"])
        with pytest.raises(Unavailable):
            await memory.of(["ada", "bob"])
        postgres.away = False
        with pytest.raises(Unavailable):  # it is not asked again at once
            await memory.of(["bob"])
        clock.now += PAUSE
        assert await memory.of(["bob"])


@pytest.mark.parametrize("kept", [Privacy(), Privacy(profiles=True), Privacy(True, private=True)])
async def test_who_starts_while_postgres_is_away_finds_in_redis_whether_all_may_be_shown(
    kept: Privacy,
) -> None:
    postgres = Postgres()
    postgres.away = True
    memory = ProfileMemory(postgres, Copy(kept), most=10)
    async with running(memory):
        await wait_until(
            lambda: (memory.needed, memory.private) == kept, description="the copy was read"
        )
        if kept.private:
            with pytest.raises(Unavailable):
                await memory.of(["ada"])
        else:
            assert await memory.of(["ada"]) == {}


async def test_while_nothing_is_known_nobody_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories, "PATIENCE", 0.01)
    postgres, copy = Postgres(), Copy()
    postgres.away = True
    memory = ProfileMemory(postgres, copy, most=10)
    async with running(memory):
        with pytest.raises(Unavailable):
            await memory.of(["ada"])
        assert memory.remembered(["ada"]) is None
        memory.learn(encode_profile(ADA))
        with pytest.raises(Unavailable):  # that says nothing of others
            await memory.of(["bob"])
    postgres.away = False
    async with running(memory):
        await wait_until(lambda: copy.kept is not None, description="the copy is kept")
        assert await memory.of(["ada"])


async def test_news_that_can_not_be_read_make_it_forget() -> None:
    async with opened(Postgres(ADA)) as memory:
        memory.learn(b"{}")
        assert memory.remembered(["ada"]) is None
