"""Decisions on the review queue's cases: applied once, whatever happens in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scoreboard.domain.ledger import KeptAction
from scoreboard.domain.reviews import Decision, Filter, Review
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import (
    AlreadyDecided,
    NotDecidable,
    NotFound,
    ScoreOutOfRange,
    Unavailable,
    UnknownUser,
)
from scoreboard.pg.reviews import Reviews
from scoreboard.redisio.moderation import ModeratedBoards
from scoreboard.telemetry import metrics
from scoreboard.workers.postgres_ports import LedgerSession
from scoreboard.workers.rebuilder import Rebuilder
from tests.support.moderated_arena import Moderated
from tests.support.suspicious_gate import NOTED


@pytest.fixture
async def court(court: Moderated) -> Moderated:
    await court.set_mode("reject")
    return court


async def approve(court: Moderated, case: Review) -> Review:
    return (await court.moderator.approve(case.id, by="eve", reason="seen on video")).review


async def test_an_approved_action_counts_once_and_its_retry_is_a_duplicate(
    court: Moderated,
) -> None:
    await court.arena.submit(("ann", "k0", 5))
    case = await court.case("ann", "k1", 100)
    assert (case.kind, case.status, case.points) == ("refused", "open", 100)
    await court.agree({"ann": 5})

    decided = await approve(court, case)
    assert (decided.status, decided.decided_by, decided.reason) == (
        *("approved", "eve"),
        "seen on video",
    )
    await court.agree({"ann": 105})
    (retry,) = await court.arena.submit(("ann", "k1", 100))
    assert (retry.outcome, retry.score) == (Outcome.DUPLICATE, 105)
    await court.agree({"ann": 105})
    assert await court.audited() == [("eve", "approved", "seen on video")]


async def test_of_many_concurrent_decisions_the_first_holds_and_the_others_learn_it(
    court: Moderated,
) -> None:
    case = await court.case("ann", "k1", 100)
    answers = await asyncio.gather(
        *(court.moderator.approve(case.id, by=f"eve{i}", reason="") for i in range(6)),
        *(court.moderator.confirm(case.id, by=f"bob{i}", reason="") for i in range(2)),
        return_exceptions=True,
    )
    refusals = [answer for answer in answers if isinstance(answer, AlreadyDecided)]
    ((status, by),) = {(e.extra["decision"]["status"], e.extra["decision"]["by"]) for e in refusals}
    assert len(refusals) == 7
    stored = await court.reviews.get(case.id)
    assert (stored.status, stored.decided_by) == (status, by)
    await court.agree({"ann": 100} if status == "approved" else {})
    assert len(await court.audited()) == 1


async def test_an_action_whose_refusal_was_forgotten_is_approved_all_the_same(
    court: Moderated,
) -> None:
    case = await court.case("ann", "k1", 100)
    await court.arena.redis.delete(court.arena.keys.action(b"ann", b"k1"))
    await approve(court, case)
    await court.agree({"ann": 100})
    (retry,) = await court.arena.submit(("ann", "k1", 100))
    assert retry.outcome is Outcome.DUPLICATE


async def test_a_retry_that_counted_after_its_refusal_was_forgotten_counts_once(
    court: Moderated,
) -> None:
    case = await court.case("ann", "k1", 100)
    await court.arena.redis.delete(court.arena.keys.action(b"ann", b"k1"))
    await court.set_mode("off")
    (retry,) = await court.arena.submit(("ann", "k1", 100))
    assert retry.outcome is Outcome.ACCEPTED
    await approve(court, case)
    await court.agree({"ann": 100})


@pytest.mark.parametrize("lost", ["everything", "the epoch"])
async def test_a_cold_board_is_made_live_for_an_approval(court: Moderated, lost: str) -> None:
    await court.arena.submit(("ann", "k0", 5))
    case = await court.case("ann", "k1", 100)
    if lost == "everything":
        await court.arena.redis.flushall()
    else:
        await court.arena.lose_epoch()
    await approve(court, case)
    await court.agree({"ann": 105})


@pytest.mark.parametrize("lost", ["nothing", "the receipt", "everything"])
async def test_an_approval_that_dies_before_its_commit_is_completed_by_repeating_it(
    court: Moderated, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    case = await court.case("ann", "k1", 100)

    async def die(*_: object, **__: object) -> Review:
        raise Unavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Reviews, "decide", die)
        with pytest.raises(Unavailable):
            await approve(court, case)
    if lost == "the receipt":
        await court.arena.redis.delete(court.arena.keys.action(b"ann", b"k1"))
    elif lost == "everything":
        await court.arena.redis.flushall()
    assert (await court.reviews.get(case.id)).status == "open"
    await approve(court, case)
    await court.agree({"ann": 100})


async def test_an_approval_that_redis_lost_before_the_ledger_had_it_is_done_again(
    court: Moderated, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await court.case("ann", "k1", 100)
    drain, drains = Rebuilder.drain, 0

    async def lose(rebuilder: Rebuilder, partition: int, session: LedgerSession) -> None:
        nonlocal drains
        drains += 1
        if drains == 2:  # the first was before the approval
            await court.arena.redis.flushall()
            raise Unavailable("Redis restarts, empty")
        await drain(rebuilder, partition, session)

    with monkeypatch.context() as patch:
        patch.setattr(Rebuilder, "drain", lose)
        with pytest.raises(Unavailable):
            await approve(court, case)
    assert (await court.reviews.get(case.id)).status == "open"
    await approve(court, case)
    await court.agree({"ann": 100})


async def test_a_total_out_of_range_leaves_the_case_open(court: Moderated) -> None:
    case = await court.case("ann", "k1", 100)
    await court.arena.redis.zadd(court.arena.keys.board, {"ann": 2.0**50 - 50})
    with pytest.raises(ScoreOutOfRange):
        await approve(court, case)
    assert (await court.reviews.get(case.id)).status == "open"


async def test_a_confirmed_refusal_stays_out(court: Moderated) -> None:
    case = await court.case("ann", "k1", 100)
    await court.moderator.confirm(case.id, by="eve", reason="")
    (retry,) = await court.arena.submit(("ann", "k1", 100))
    assert (retry.outcome, retry.agents) == (Outcome.REFUSED, ("behavior",))
    await court.agree({})
    with pytest.raises(AlreadyDecided):
        await approve(court, case)


async def test_a_flagged_action_goes_on_counting_when_it_is_approved(court: Moderated) -> None:
    await court.set_mode("flag")
    case = await court.case("ann", "k1", 100)
    assert case.kind == "flagged"
    await approve(court, case)
    await court.agree({"ann": 100})


async def test_a_confirmed_flagged_action_is_taken_back_once(court: Moderated) -> None:
    await court.set_mode("flag")
    await court.arena.submit(("ann", "k0", 5))
    case = await court.case("ann", "k1", 100)
    decision = await court.moderator.confirm(case.id, by="eve", reason="a bot")
    assert decision.reverted == 1
    await court.agree({"ann": 5})
    (retry,) = await court.arena.submit(("ann", "k1", 100))
    assert retry.outcome is Outcome.DUPLICATE
    await court.agree({"ann": 5})
    reason = await court.database.fetchval(
        "SELECT revert_reason FROM score_action WHERE action_id = 'k1'"
    )
    assert reason == "confirmed by eve: a bot"


async def test_a_conflict_can_be_confirmed_but_not_approved(court: Moderated) -> None:
    await court.arena.submit(("ann", "k1", 5))
    case = await court.case("ann", "k1", 6)
    assert case.kind == "conflict"
    with pytest.raises(NotDecidable):
        await approve(court, case)
    assert (await court.moderator.confirm(case.id, by="eve", reason="")).reverted == 0
    await court.agree({"ann": 5})


async def test_earlier_actions_are_taken_back_and_later_ones_are_not(court: Moderated) -> None:
    await court.arena.submit(*(("ann", f"k{i}", i) for i in range(1, 6)), ("bob", "k1", 7))
    case = await court.case("ann", "cheat", 100)
    await court.arena.submit(("ann", "later", 3))
    decision = await court.moderator.confirm(case.id, by="eve", reason="", revert_earlier=True)
    assert decision.reverted == 5
    await court.agree({"ann": 3, "bob": 7})


async def test_a_confirmation_that_dies_halfway_takes_each_action_back_once(
    court: Moderated, monkeypatch: pytest.MonkeyPatch
) -> None:
    await court.arena.submit(*(("ann", f"k{i}", i) for i in range(1, 11)))
    case = await court.case("ann", "cheat", 100)
    revert, reverts = ModeratedBoards.revert, 0

    async def die(
        self: ModeratedBoards, board: str, event_format: int, action: KeptAction, reason: str
    ) -> bool:
        nonlocal reverts
        reverts += 1
        if reverts == 4:
            raise Unavailable("gone")
        return await revert(self, board, event_format, action, reason)

    with monkeypatch.context() as patch:
        patch.setattr(ModeratedBoards, "revert", die)
        with pytest.raises(Unavailable):
            await court.moderator.confirm(case.id, by="eve", reason="", revert_earlier=True)
    decision = await court.moderator.confirm(case.id, by="eve", reason="", revert_earlier=True)
    assert decision.reverted == 7
    await court.agree({"ann": 0})


async def test_an_action_without_a_case_is_taken_back_once_and_stays_out_after_a_rebuild(
    court: Moderated,
) -> None:
    await court.arena.submit(("ann", "k0", 5), ("ann", "k1", 7), ("bob", "k1", 3))
    await court.moderator.revert("arena", "ann", "k1", by="eve", reason="a script")
    await court.agree({"ann": 5, "bob": 3})
    (retry,) = await court.arena.submit(("ann", "k1", 7))
    assert retry.outcome is Outcome.DUPLICATE
    with pytest.raises(AlreadyDecided):
        await court.moderator.revert("arena", "ann", "k1", by="mod", reason="again")
    await court.arena.redis.flushall()
    await court.agree({"ann": 5, "bob": 3})
    assert await court.audited() == [("eve", "action_reverted", "a script")]
    reason = await court.database.fetchval(
        "SELECT revert_reason FROM score_action WHERE action_id = 'k1' AND user_id = 'ann'"
    )
    assert reason == "taken back by eve: a script"


async def test_only_an_action_that_counts_and_waits_for_no_decision_is_taken_back(
    court: Moderated,
) -> None:
    await court.case("ann", "refused", 100)
    await court.set_mode("flag")
    flagged = await court.case("bob", "flagged", 100)
    for user, action in (("ann", "refused"), ("ann", "flagged"), ("cy", "k0")):
        with pytest.raises(NotFound):
            await court.moderator.revert("arena", user, action, by="eve", reason="")
    with pytest.raises(NotDecidable, match=f"Case {flagged.id} "):
        await court.moderator.revert("arena", "bob", "flagged", by="eve", reason="")
    await court.moderator.confirm(flagged.id, by="eve", reason="")
    with pytest.raises(AlreadyDecided):
        await court.moderator.revert("arena", "bob", "flagged", by="eve", reason="")
    assert [what for _, what, _ in await court.audited()] == ["confirmed"]


@pytest.mark.parametrize(
    ("dying", "step"), [(Rebuilder, "drain"), (ModeratedBoards, "forget_memory"),
                        (Reviews, "record_revert")],
)  # fmt: skip
async def test_a_revert_that_dies_halfway_is_completed_by_repeating_it(
    court: Moderated, monkeypatch: pytest.MonkeyPatch, dying: type, step: str
) -> None:
    await court.arena.submit(("ann", "k0", 5), ("ann", "k1", 7))
    await court.arena.persist()
    revert = ModeratedBoards.revert

    async def die(*_: object, **__: object) -> bool:
        raise Unavailable("gone")

    with monkeypatch.context() as patch:

        async def revert_and_then_die(*arguments: Any) -> bool:
            done = await revert(*arguments)
            patch.setattr(dying, step, die)
            return done

        patch.setattr(ModeratedBoards, "revert", revert_and_then_die)
        with pytest.raises(Unavailable):
            await court.moderator.revert("arena", "ann", "k1", by="eve", reason="a script")
    assert await court.audited() == []
    await court.moderator.revert("arena", "ann", "k1", by="eve", reason="a script")
    await court.agree({"ann": 5})
    assert await court.audited() == [("eve", "action_reverted", "a script")]


async def test_a_confirmation_that_is_repeated_forgets_what_the_action_taught_the_agents(
    court: Moderated, monkeypatch: pytest.MonkeyPatch
) -> None:
    await court.set_mode("flag")
    case = await court.case("ann", "k1", 100)
    memory = court.arena.keys.profile(b"ann")
    await court.arena.redis.set(memory, b"1:what was learned")

    async def die(*_: object, **__: object) -> None:
        raise Unavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(ModeratedBoards, "forget_memory", die)
        with pytest.raises(Unavailable):
            await court.moderator.confirm(case.id, by="eve", reason="")
    assert await court.arena.redis.exists(memory)
    await court.moderator.confirm(case.id, by="eve", reason="")
    assert not await court.arena.redis.exists(memory)
    await court.agree({"ann": 0})


async def test_a_hidden_user_stays_hidden_across_a_rebuild_and_can_be_shown_again(
    court: Moderated,
) -> None:
    await court.arena.submit(("ann", "k0", 5), ("bob", "k0", 7))
    case = await court.case("ann", "k1", 100)
    decision = await court.moderator.confirm(case.id, by="eve", reason="", hide_user=True)
    assert decision.hidden
    assert await court.arena.totals() == {"bob": 7}
    (posted,) = await court.arena.submit(("ann", "k2", 1))
    assert (posted.score, posted.rank) == (6, None)
    await court.agree({"ann": 6, "bob": 7})

    await court.arena.redis.flushall()
    await court.arena.durable.rebuilder.ensure("arena", create=False)
    assert await court.arena.totals() == {"bob": 7}

    await court.moderator.set_hidden("arena", "ann", hidden=False, by="eve", reason="appeal")
    assert await court.arena.totals() == {"bob": 7, "ann": 6}
    assert (await court.audited())[-1] == ("eve", "user_shown", "appeal")
    await court.arena.redis.flushall()
    await court.arena.durable.rebuilder.ensure("arena", create=False)
    assert await court.arena.totals() == {"bob": 7, "ann": 6}


async def test_only_a_user_on_the_board_can_be_hidden(court: Moderated) -> None:
    case = await court.case("cy", "k1", 100)
    decision = await court.moderator.confirm(case.id, by="eve", reason="", hide_user=True)
    assert not decision.hidden
    await court.arena.submit(("ann", "k0", 5))
    with pytest.raises(UnknownUser):
        await court.moderator.set_hidden("arena", "bob", hidden=True, by="eve", reason="")
    assert await court.audited() == [("eve", "confirmed", "")]


async def test_what_was_approved_is_remembered_as_the_users_own(court: Moderated) -> None:
    await court.arena.submit(("ann", "k0", 5))
    case = await court.case("ann", "k1", 100)
    await approve(court, case)
    court.gate.remembered.clear()
    await court.arena.submit(("ann", "k2", 5))
    assert court.gate.remembered == [2]


async def test_a_case_that_is_not_there_is_not_found(court: Moderated) -> None:
    with pytest.raises(NotFound):
        await court.moderator.approve(999, by="eve", reason="")


async def episode(court: Moderated, actions: int, user: str = "ann") -> list[Review]:
    """The cases of one episode, oldest first."""
    return [await court.case(user, f"{user}-{i}", 100 + i) for i in range(actions)]


async def test_an_episode_is_listed_once_and_its_approval_counts_each_action_once(
    court: Moderated,
) -> None:
    cases = await episode(court, 5)
    await court.case("bob", "other", 100)
    assert len({case.episode for case in cases}) == 1
    wanted = Filter(status="open", episodes=True)
    listed = await court.reviews.page(wanted, before=None, limit=9)
    assert [(case.user_id, case.actions) for case in listed] == [("bob", 1), ("ann", 5)]

    decision = await court.moderator.approve(cases[2].id, by="eve", reason="video", episode=True)
    assert (decision.review.status, decision.decided) == ("approved", 5)
    await court.agree({"ann": 100 + 101 + 102 + 103 + 104})
    (left,) = await court.reviews.page(wanted, before=None, limit=9)
    assert left.user_id == "bob"
    assert len(await court.audited()) == 5


async def test_an_episodes_approval_that_was_interrupted_goes_on_when_it_is_repeated(
    court: Moderated, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = await episode(court, 4)
    decide = Reviews.decide
    done: list[object] = []

    async def die_at_the_third(self: Reviews, *args: Any, **kwargs: Any) -> Decision:
        if len(done) == 2:
            raise Unavailable("gone")
        done.append(args)
        return await decide(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Reviews, "decide", die_at_the_third)
        with pytest.raises(Unavailable):
            await court.moderator.approve(cases[0].id, by="eve", reason="", episode=True)
    await court.moderator.approve(cases[0].id, by="eve", reason="", episode=True)
    await court.agree({"ann": 100 + 101 + 102 + 103})
    assert len(await court.audited()) == 4


async def test_a_confirmed_episode_takes_back_what_was_flagged_in_it(court: Moderated) -> None:
    await court.set_mode("flag")
    await court.arena.submit(("ann", "k0", 5))
    cases = await episode(court, 3)
    decision = await court.moderator.confirm(cases[0].id, by="eve", reason="", episode=True)
    assert (decision.reverted, decision.decided) == (3, 3)
    await court.agree({"ann": 5})


async def test_an_action_that_counts_and_has_something_noted_is_a_case_in_mode_reject_too(
    court: Moderated,
) -> None:
    case = await court.case("ann", "k1", NOTED)
    assert (case.kind, [found.agent for found in case.findings]) == ("flagged", ["behavior"])
    await court.agree({"ann": NOTED})


async def test_decisions_are_told_by_what_agents_had_objected_to(court: Moderated) -> None:
    cases = await episode(court, 3)
    (found, *_) = cases[0].findings

    def counted(verdict: str) -> float:
        child = metrics.decided_findings.labels(verdict, found.agent, found.feature)
        return float(child._value.get())

    before = counted("approved"), counted("confirmed")
    await court.moderator.approve(cases[0].id, by="eve", reason="")
    await court.moderator.confirm(cases[1].id, by="eve", reason="")
    assert (counted("approved"), counted("confirmed")) == (before[0] + 1, before[1] + 1)
    (told,) = [
        one
        for one in await court.reviews.by_feature(frozenset({"arena"}))
        if (one.agent, one.feature) == (found.agent, found.feature)
    ]
    assert (told.open, told.approved, told.confirmed) == (1, 1, 1)
    assert await court.reviews.by_feature(frozenset({"another"})) == []


async def test_what_comes_after_a_decision_is_another_episode(court: Moderated) -> None:
    first = await court.case("ann", "k1", 100)
    await approve(court, first)
    second = await court.case("ann", "k2", 100)
    assert second.episode != first.episode
