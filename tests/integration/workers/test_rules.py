"""Whatever a board's rules make of actions, the ledger, user_score and Redis agree on it: through
late duplicates, decisions, lost and restarted servers, the ends of occurrences. A few lines of
Python say what is right."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest
from msgspec import structs

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.domain.boards import BoardSettings, GateMode
from scoreboard.domain.periods import Period
from scoreboard.domain.reviews import Filter
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import NotDecidable
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.ledger_audit import LedgerAudit
from tests.support.extent import kept
from tests.support.moderated_arena import Moderated
from tests.support.occurrences import end_occurrence, known_period, make_final, table_totals

PERIODS = (
    Period("week", cron="0 0 * * 1"),
    Period("day", cron="0 0 * * *", zone="Europe/Berlin", grace=600),
)
RULES = [
    BoardSettings(order="asc"),
    BoardSettings(operator="best"),
    BoardSettings(operator="best", order="asc", rank_style="standard"),
    BoardSettings(operator="last", rank_style="standard"),
    BoardSettings(operator="last", order="asc"),
    BoardSettings(attempts=1_000),
    BoardSettings(operator="best", attempts=1_000, capacity=3),
    BoardSettings(operator="last", capacity=3),
    BoardSettings(periods=PERIODS),
    BoardSettings(periods=PERIODS, operator="best", order="asc", attempts=1_000, capacity=3),
    BoardSettings(periods=PERIODS, operator="last", all_time=False),
]
STEPS = 40
USERS = ("ann", "bob", "cid")


@dataclass
class Model:
    """The actions that count, in order, by user."""

    rules: BoardSettings
    counted: list[tuple[str, str, int]] = field(default_factory=list)

    def totals(self) -> dict[str, int]:
        """What each user's actions come to; a sum is 0 when all were taken back."""
        values: dict[str, list[int]] = {}
        for user, _, points in self.counted:
            values.setdefault(user, []).append(points)
        match self.rules.operator:
            case "sum":
                return {user: sum(found) for user, found in values.items()}
            case "last":
                return {user: found[-1] for user, found in values.items()}
        better = min if self.rules.order == "asc" else max
        return {user: better(found) for user, found in values.items()}

    def within(self, names: set[str]) -> Model:
        """The same with these actions only."""
        return Model(self.rules, [action for action in self.counted if action[1] in names])


class Season:
    """Random steps on the board and in the model alike."""

    def __init__(self, court: Moderated, rules: BoardSettings, seed: int) -> None:
        self.court = court
        self.arena = court.arena
        self.model = Model(rules)
        self.random = random.Random(seed)
        self.posted: list[tuple[str, str, int]] = []
        self.seen: set[str] = set()  # users that ever counted
        self.unsettled = False
        self.moments: dict[tuple[str, str], int] = {}  # when an action was posted, and counted
        self.inside: dict[str, set[str]] = {}  # the actions that count in an occurrence's table
        self.final: set[str] = set()

    def note(self, action: tuple[str, str, int], what: str) -> None:
        self.moments[action[1], what] = len(self.moments)

    async def set_mode(self, mode: GateMode) -> None:
        settings = structs.replace(self.model.rules, mode=mode)
        await self.court.moderator.configure("arena", lambda _: settings, by="eve")

    async def post(self) -> None:
        user = self.random.choice(USERS)
        # From 100 points on, the gate objects.
        points = self.random.choice([*range(-3, 4), 50, 100, 101])
        await self.set_mode(mode := self.random.choice(("flag", "reject")))
        action = (user, f"k{len(self.posted)}", points)
        self.note(action, "posted")
        (result,) = await self.arena.submit(action)
        self.posted.append(action)
        for period in self.model.rules.periods:
            known = await known_period(self.arena, period.name)
            assert known is not None
            table = f"arena:{period.name}:{known.latest.number}"
            self.inside.setdefault(table, set()).add(action[1])
        if mode == "reject" and points >= 100:
            assert result.outcome is Outcome.REFUSED
            return
        before = self.model.totals().get(user)
        self.count(action)
        if self.unsettled:
            return
        assert result.outcome is Outcome.ACCEPTED
        if not self.model.rules.all_time:
            return
        assert result.score == self.model.totals()[user]
        if self.model.rules.operator != "sum":
            assert result.move is not None
            assert result.move.previous == before
            assert result.move.changed == (before != result.score)

    async def repeat_late(self) -> None:
        """An action again after its receipt has expired."""
        if self.model.counted:
            user, name, _ = action = self.random.choice(self.model.counted)
            await self.persist()
            await self.arena.redis.delete(self.arena.keys.action(user.encode(), name.encode()))
            await self.set_mode("flag")
            await self.arena.submit(action)
            self.unsettled = True  # it counts until the persister finds it
            if self.random.random() < 0.5:
                await self.persist()

    async def persist(self) -> None:
        await self.arena.persist()
        self.unsettled = False

    async def decide(self) -> None:
        await self.persist()
        cases = await self.court.reviews.page(
            Filter(status="open", kind=self.random.choice(("refused", "flagged"))),
            before=None,
            limit=100,
        )
        if not cases:
            return
        case = self.random.choice(cases)
        action = (case.user_id, case.action_id, case.points)
        moderator = self.court.moderator
        if self.random.random() < 0.4:
            await moderator.approve(case.id, by="eve", reason="")
            if case.kind == "refused":
                self.count(action)
            return
        earlier = self.random.random() < 0.3
        await moderator.confirm(case.id, by="eve", reason="", revert_earlier=earlier)
        gone = {action} if case.kind == "flagged" else set()
        if earlier:
            posted = self.moments[case.action_id, "posted"]
            gone |= {
                known
                for known in self.model.counted
                if known[0] == case.user_id and self.moments[known[1], "counted"] < posted
            }
        self.model.counted = [known for known in self.model.counted if known not in gone]

    async def take_back(self) -> None:
        """An action that counts, without a case about it."""
        await self.persist()
        if not self.model.counted:
            return
        user, name, _ = action = self.random.choice(self.model.counted)
        case = await self.court.reviews.open_case("arena", user, name)
        with pytest.raises(NotDecidable) if case else nullcontext():
            await self.court.moderator.revert("arena", user, name, by="eve", reason="")
        if not case:
            self.model.counted.remove(action)

    async def end_some(self) -> None:
        """A period's occurrence ends; the next action opens another."""
        periods = self.model.rules.periods
        if periods and not self.unsettled:
            await self.arena.durable.rebuilder.ensure("arena", create=False)
            await end_occurrence(self.arena, self.random.choice(periods).name)

    async def close_some(self) -> None:
        """Occurrences that others have followed become final."""
        for table in self.inside:
            _, period, number = table.split(":")
            if table not in self.final and f"arena:{period}:{int(number) + 1}" in self.inside:
                await make_final(self.arena, period, int(number))
                self.final.add(table)

    async def lose_redis(self) -> None:
        await self.persist()
        await self.arena.redis.flushall()

    async def restart_redis(self) -> None:
        await self.arena.lose_epoch()

    def count(self, action: tuple[str, str, int]) -> None:
        self.note(action, "counted")
        self.seen.add(action[0])
        self.model.counted.append(action)

    async def agrees(self) -> None:
        """Redis, user_score and the ledger have what the model has, and so have both reads."""
        arena, rules = self.arena, self.model.rules
        await arena.durable.rebuilder.ensure("arena", create=False)
        await self.persist()
        await arena.durable.rebuilder.ensure("arena", create=False)
        expected = self.model.totals()
        if rules.operator == "sum":
            expected = dict.fromkeys(self.seen, 0) | expected
        found = {user: total * rules.sign for user, total in (await arena.totals()).items()}
        assert found == expected
        if rules.counts_players and not rules.periods:
            counted = Counter(user for user, _, _ in self.model.counted)
            players = await arena.zset(arena.keys.players)
            assert players == dict.fromkeys(self.seen, 0) | counted
        for table, names in self.inside.items():
            await self.table_agrees(table, self.model.within(names))
        differences: list[Difference] = []
        postgres = LedgerAudit(arena.durable.ledger._pool)
        verifier = verifier_of(arena.durable, arena.redis, postgres)
        report = await verifier.verify("arena", differences.append, lambda _: None)
        assert differences == []
        assert (report.live, report.occurrences) == (True, len(self.inside))
        archive = ArchivedBoards(arena.durable.ledger._pool)
        archived = await archive.standings("arena", sorted(expected))
        assert {one.user_id: one.score for one in archived if one} == expected

    async def table_agrees(self, table: str, model: Model) -> None:
        """The same of an occurrence's table; a final one is in Postgres only."""
        rules, expected = model.rules, model.totals()
        archive = ArchivedBoards(self.arena.durable.ledger._pool)
        archived = await archive.standings(table, sorted(self.seen))
        kept = {one.user_id: one.score for one in archived if one and one.score is not None}
        if rules.operator == "sum":
            expected = dict.fromkeys(kept, 0) | expected
        assert kept == expected, table
        if table in self.final:
            return
        found = await table_totals(self.arena, table)
        assert {user: total * rules.sign for user, total in found.items()} == expected, table
        if rules.counts_players:
            counted = Counter(user for user, _, _ in model.counted)
            players = await table_totals(self.arena, table, "players")
            assert {user: count for user, count in players.items() if count} == counted, table


@pytest.mark.parametrize("rules", kept(RULES, *RULES[1::3], RULES[-1]), ids=str)
async def test_all_three_agree_with_the_rules_whatever_happens(
    court: Moderated, rules: BoardSettings
) -> None:
    season = Season(court, rules, seed=11)
    await season.set_mode("flag")
    for _ in range(4):
        await season.post()
    steps = [season.post] * 6 + [season.repeat_late, season.decide] * 2 + [season.take_back]
    steps += [season.lose_redis, season.restart_redis]
    if rules.periods:
        steps += [season.end_some] * 2 + [season.close_some]
    for number in range(STEPS):
        await season.random.choice(steps)()
        if number % 4 == 0:
            await season.agrees()
    await season.agrees()
    assert bool(season.final) == bool(rules.periods)
