"""Weeks that users play on the board ``arena`` behind a gate, by a clock of the test's own."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.rules import GateRules
from scoreboard.assembly.moderation import moderator, week_keeper
from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import BoardSettings, GateMode
from scoreboard.domain.judging import Case, Judgement
from scoreboard.domain.reviews import Filter, Review
from scoreboard.domain.submissions import Outcome, Submission
from scoreboard.domain.weeks import WEEK, WEEK_MS, monday_of, start_of
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.models import Models
from scoreboard.pg.reviews import Reviews
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.moderator import Moderator
from scoreboard.workers.week_keeper import DELAY_MS, WeekKeeper
from scoreboard.write_path import ports
from scoreboard.write_path.judged_calls import JudgedCalls
from tests.support.arena import Arena, opened_arena
from tests.support.honest_season import DAY, HOUR, honest_model
from tests.support.occurrences import now_ms
from tests.support.suspicious_gate import OneGate

_attempts = itertools.count()

USUAL = 6  # actions of an evening, of one to three points
LIMIT = 5.0  # deviations: far above the weeks below, and far below padded ones


def lenient_model() -> Model:
    """Judges weeks, and no single action."""
    return msgspec.structs.replace(
        honest_model(), agents={}, week_limit=LIMIT, session_limit=2 * LIMIT
    )


class EarlierGate(Gate):
    """As that of a process of the version before: it does not say which week it is about."""

    def judge(
        self,
        cases: Sequence[Case],
        profiles: Mapping[str, bytes | None],
        devices: Mapping[str, bytes | None],
        *,
        accept_refused: bool = False,
        scored: bool = True,
    ) -> list[Judgement]:
        judgements = super().judge(
            cases, profiles, devices, accept_refused=accept_refused, scored=scored
        )
        for judgement in judgements:
            judgement.noted = [
                msgspec.structs.replace(reason, week=None) for reason in judgement.noted
            ]
        return judgements


@dataclass
class Weeks:
    """``week`` is the latest week that is to be judged at the moment ``now``, Unix ms. That is two
    weeks ago, so that the week after has passed as well, whichever day it is; what is played then
    is ``received`` today."""

    arena: Arena
    pool: asyncpg.Pool
    settings: Settings
    moderator: Moderator
    reviews: Reviews
    judged: JudgedCalls
    week: date
    now: int
    received: int

    async def set_mode(self, mode: GateMode, **rules: Any) -> None:
        rules = {"mode": mode, "allow_history": True, **rules}
        await self.moderator.configure("arena", lambda _: BoardSettings(**rules), by="mod")

    async def add_model(self) -> None:
        model = lenient_model()
        window = {"first_ms": model.training.first_ms, "last_ms": model.training.last_ms}
        models = Models(self.pool)
        version = await models.add(
            "", model.to_bytes(), **window, false_alarm_rate=0.002, quality={}
        )
        await models.activate(version, by="eve")

    def judge_by(self, gate: ports.Gate) -> None:
        """From now on actions are judged by this gate."""
        self.judged._gates = OneGate(gate)

    async def act(self, user: str, at_ms: int, points: int = 2, action: str = "") -> str:
        """One action that counts; its id."""
        number = next(_attempts)
        name = action or f"k{number}"
        submission = Submission(
            ScoreAction(user, name, points), f"at{number}", at_ms, self.received
        )
        (result,), _ = await self.arena.submitter.submit("arena", [submission], create=True)
        assert result.outcome is Outcome.ACCEPTED, result
        return name

    async def play(self, user: str, monday: date, padding: int = 0) -> str:
        """Five evenings of the week, with so many actions of three points more; the last action."""
        rng = random.Random(f"{user} {monday}")
        for evening in range(5):
            at_ms = start_of(monday) + evening * DAY + 19 * HOUR
            points = [rng.randint(1, 3) for _ in range(USUAL)] + [3] * padding
            submissions = []
            for each in points:
                at_ms += round(1000 * rng.uniform(90, 400))
                number = next(_attempts)
                action = ScoreAction(user, f"k{number}", each)
                submissions.append(Submission(action, f"at{number}", at_ms, self.received))
            results, _ = await self.arena.submitter.submit("arena", submissions, create=True)
            assert {result.outcome for result in results} == {Outcome.ACCEPTED}
        return f"k{number}"

    async def play_padded(self, user: str) -> str:
        """Three weeks, of which the last is padded; the last action."""
        for before in (3, 2, 1):
            await self.play(user, self.week - before * WEEK)
        return await self.play(user, self.week, padding=12)

    async def play_ordinary(self, user: str) -> str:
        """The same without padding."""
        for before in (3, 2, 1, 0):
            last = await self.play(user, self.week - before * WEEK)
        return last

    def next_week(self) -> int:
        """A moment of it that has passed already."""
        return start_of(self.week + WEEK) + 20 * HOUR

    def keeper(self) -> WeekKeeper:
        """That of another process."""
        return week_keeper(self.arena.redis, self.pool, self.arena.durable)

    async def judge(self) -> list[Review]:
        """A persister's keeper judges what is due; all cases then."""
        await self.keeper().judge_all(self.now)
        return await self.cases()

    async def cases(self) -> list[Review]:
        """All cases, oldest first, once everything is persisted."""
        await self.arena.persist()
        return (await self.reviews.page(Filter(), before=None, limit=100))[::-1]


@asynccontextmanager
async def weeks_played(
    settings: Settings, redis: Redis, pool: asyncpg.Pool
) -> AsyncIterator[Weeks]:
    """The gate of ``arena`` flags, and there is a model."""
    gate = Gate(lenient_model(), GateRules(max_age_ms=None))
    judged = JudgedCalls(
        redis, OneGate(gate), LedgerCases(pool), keyspace=Keyspace(settings.partitions)
    )
    async with opened_arena(settings, redis, pool, judged=judged) as arena:
        received = await now_ms(arena)
        now = received - 2 * WEEK_MS
        week = monday_of(now - DELAY_MS) - WEEK
        decides = moderator(settings, redis, pool, arena.durable)
        weeks = Weeks(arena, pool, settings, decides, Reviews(pool), judged, week, now, received)
        await weeks.set_mode("flag")
        await weeks.add_model()
        yield weeks
