"""Lost memories of users are rebuilt from the ledger; and what happens while it is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.judging import Case
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import Unavailable
from scoreboard.pg.cases import LedgerCases
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.redisio.topologies import topology_at
from tests.support.moderated_arena import Moderated


@pytest.fixture
async def court(court: Moderated) -> Moderated:
    """The board with five actions of ann in the ledger, whose memory is lost."""
    await court.set_mode("reject")
    await court.arena.submit(*(("ann", f"k{i}", i) for i in range(5)))
    await court.arena.persist()
    await court.arena.redis.delete(court.arena.keys.profile(b"ann"))
    court.gate.remembered.clear()
    return court


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The users that the ledger is asked about."""
    users: list[str] = []
    recent = LedgerCases.recent

    async def noted(
        self: LedgerCases, board: str, some: Sequence[str]
    ) -> Mapping[str, Sequence[Case]]:
        users.extend(some)
        return await recent(self, board, some)

    monkeypatch.setattr(LedgerCases, "recent", noted)
    return users


def lose_the_ledger(patch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> Mapping[str, Sequence[Case]]:
        raise Unavailable("Postgres can't be reached.")

    patch.setattr(LedgerCases, "recent", away)


async def test_a_user_on_the_board_without_a_memory_gets_it_back_once(
    court: Moderated, asked: list[str]
) -> None:
    for i in range(3):
        await court.arena.submit(("ann", f"later-{i}", 1))
    assert court.gate.remembered == [5, 6, 7]
    assert asked == ["ann"]


async def test_a_retry_is_not_judged_and_needs_no_memory(
    court: Moderated, asked: list[str]
) -> None:
    (retry,) = await court.arena.submit(("ann", "k0", 0))
    assert retry.outcome is Outcome.DUPLICATE
    assert (asked, court.gate.remembered) == ([], [])


async def test_a_call_prepared_while_the_board_is_cold_leaves_no_memory(
    court: Moderated, redis: Redis, redis_url: str, asked: list[str]
) -> None:
    settings = BoardSettings(mode="reject")
    later = Submission(ScoreAction("ann", "later", 1), "t", 0, 0)
    line = ScriptLine(await topology_at(redis_url).owner("any"), timeout=5)
    await redis.flushall()
    call = await court.judged.prepare("arena", settings, [later], line)
    await court.arena.durable.rebuilder.ensure("arena", create=False)
    assert (call.args[6], asked) == (b"", [])
    call = await court.judged.prepare("arena", settings, [later], line)
    assert (call.args[6], asked) == (b"1:6", ["ann"])
    await line.close()


async def test_new_users_cost_the_ledger_nothing(court: Moderated, asked: list[str]) -> None:
    await court.arena.submit(("bob", "k0", 1), ("cy", "k0", 1), ("bob", "k1", 1))
    assert court.gate.remembered == [0, 0, 1]
    assert asked == []


async def test_hidden_users_and_many_at_once_get_theirs_back(
    court: Moderated, redis: Redis
) -> None:
    users = [f"user{i}" for i in range(45)]
    await court.arena.submit(*((user, "k0", 1) for user in users))
    await court.arena.persist()
    await court.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="")
    await redis.delete(*(court.arena.keys.profile(user.encode()) for user in [*users, "ann"]))
    court.gate.remembered.clear()
    await court.arena.submit(*((user, "k1", 1) for user in users), ("ann", "later", 1))
    assert court.gate.remembered == [1] * 45 + [5]


async def test_what_was_taken_back_or_refused_is_not_remembered(
    court: Moderated, redis: Redis
) -> None:
    await court.set_mode("flag")
    flagged = await court.case("ann", "flagged", 100)
    await court.moderator.confirm(flagged.id, by="eve", reason="")
    await court.set_mode("reject")
    await court.case("ann", "refused", 100)
    await redis.delete(court.arena.keys.profile(b"ann"))
    court.gate.remembered.clear()
    await court.arena.submit(("ann", "later", 1))
    assert court.gate.remembered == [5]


async def test_without_the_ledger_a_board_that_rejects_leaves_out_only_whom_it_can_not_judge(
    court: Moderated, redis: Redis
) -> None:
    before = await court.arena.zset()
    with pytest.MonkeyPatch.context() as patch:
        lose_the_ledger(patch)
        retry, ann, bob, cy, again = await court.arena.submit(
            *(("ann", "k0", 0), ("ann", "later", 1), ("bob", "k0", 1), ("cy", "k0", 100)),
            ("ann", "later-2", 1),
        )
    assert retry.outcome is Outcome.DUPLICATE
    assert ann == again == Result(Outcome.UNAVAILABLE, retry_after=1.0)
    assert (bob.outcome, cy.outcome) == (Outcome.ACCEPTED, Outcome.REFUSED)
    after = await court.arena.zset()
    assert after.pop("bob")
    assert after == before
    assert await redis.exists(court.arena.keys.profile(b"ann")) == 0
    (posted,) = await court.arena.submit(("ann", "later", 1))
    assert posted.outcome is Outcome.ACCEPTED


async def test_a_ledger_that_does_not_answer_is_asked_once_a_call(
    court: Moderated, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await court.set_mode("flag")
    users = [f"user{i}" for i in range(45)]
    await court.arena.submit(*((user, "k0", 1) for user in users))
    await redis.delete(*(court.arena.keys.profile(user.encode()) for user in users))
    asked: list[Sequence[str]] = []

    async def away(_: LedgerCases, board: str, some: Sequence[str]) -> Mapping[str, Sequence[Case]]:
        asked.append(some)
        raise Unavailable("Postgres can't be reached.")

    monkeypatch.setattr(LedgerCases, "recent", away)
    posted = await court.arena.submit(*((user, "k1", 1) for user in users))
    assert [result.outcome for result in posted] == [Outcome.ACCEPTED] * 45
    assert len(asked) == 1
    assert await redis.exists(*(court.arena.keys.profile(user.encode()) for user in users)) == 0


async def test_a_board_that_flags_goes_on_and_remembers_once_the_ledger_is_back(
    court: Moderated,
) -> None:
    await court.set_mode("flag")
    await court.arena.submit(("bob", "k0", 1))
    court.gate.remembered.clear()
    with pytest.MonkeyPatch.context() as patch:
        lose_the_ledger(patch)
        posted = await court.arena.submit(("ann", "later-0", 1), ("ann", "later-1", 1))
    assert [result.outcome for result in posted] == [Outcome.ACCEPTED] * 2
    await court.arena.persist()
    await court.arena.submit(("ann", "later-2", 1))
    assert court.gate.remembered == [0, 1, 7]


@pytest.mark.parametrize("text", ["junk", "012:", "-1:junk", "9" * 30 + ":"])
async def test_a_memory_that_somebody_has_written_over_counts_as_lost(
    court: Moderated, text: str
) -> None:
    key = court.arena.keys.profile(b"ann")
    await court.arena.redis.set(key, text)
    (result,) = await court.arena.submit(("ann", "later", 1))
    assert result.outcome is Outcome.ACCEPTED
    assert court.gate.remembered == [5]
    kept: Any = await court.arena.redis.get(key)
    assert kept.startswith(b"1:")
