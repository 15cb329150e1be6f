"""submit_scores: every action counts once, and its receipt answers for it from then on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scoreboard.wire.events import EventKind
from scoreboard.wire.receipts import Kept, receipt
from tests.lua.harness import WINDOW_MS, Action, Board, Verdict


def test_an_accepted_action_adds_its_points_and_answers_total_rank_and_event(board: Board) -> None:
    assert board.submit(Action("ann", "k1", 15)) == [f"A 15 1 {board.events()[0].id}"]
    bob = board.submit(Action("bob", "k1", 20))
    assert bob == [f"A 20 1 {board.events()[1].id}"]
    ann = board.submit(Action("ann", "k2", 3))
    assert ann == [f"A 18 2 {board.events()[2].id}"]
    assert board.totals() == {"bob": 20, "ann": 18}


def test_an_accepted_action_leaves_an_event_that_the_persister_can_decode(board: Board) -> None:
    action = Action("ann", "k1", -15)
    board.submit(action)
    (event,) = board.events()
    assert (event.kind, event.score) == (EventKind.ACCEPTED, -15)
    assert event.reached_ms == int(board.meta()["clock"])
    assert (event.body.b, event.body.u, event.body.a, event.body.p, event.body.t) == (
        *("arena", "ann", "k1", -15),
        action.attempt,
    )
    assert board.meta()["event"] == event.id


def test_the_receipt_is_what_wire_receipts_describes_and_lasts_for_the_window(
    board: Board,
) -> None:
    action = Action("ann", "k1", 15)
    before = board.now_ms()
    board.submit(Action("ann", "k0", 100), action)
    written = receipt(
        Kept.ACCEPTED, points=15, score=115, attempt=action.attempt, event=board.events()[1].id
    )
    assert board.receipt(action) == written
    expiry = board.expiry(board.receipt_key(action))
    assert before + WINDOW_MS <= expiry <= board.now_ms() + WINDOW_MS


def test_a_second_submission_of_an_action_is_a_duplicate_with_the_original_score(
    board: Board,
) -> None:
    first = Action("ann", "k1", 15)
    (accepted,) = board.submit(first)
    event = accepted.split(" ")[3]
    board.submit(Action("ann", "k2", 1000))
    before = board.dump()
    assert board.submit(replace(first, attempt="another")) == [f"D 15 {event}"]
    assert board.dump() == before


def test_a_retry_after_a_lost_reply_learns_its_first_result(board: Board) -> None:
    action = Action("ann", "k1", 15)
    (accepted,) = board.submit(action)
    before = board.dump()
    assert board.submit(action) == [accepted]
    assert board.dump() == before


def test_a_resent_batch_answers_as_the_first_time_and_writes_nothing(board: Board) -> None:
    batch = [Action(f"u{i}", "k1", i) for i in range(1, 21)]
    first = board.submit(*batch)
    before = board.dump()
    again = board.submit(*batch)
    assert board.dump() == before
    assert [r.split(" ")[:2] for r in again] == [r.split(" ")[:2] for r in first]
    assert [r.split(" ")[3] for r in again] == [r.split(" ")[3] for r in first]


def test_the_same_action_with_other_points_is_a_conflict_and_recorded(board: Board) -> None:
    board.submit(Action("ann", "k1", 15))
    assert board.submit(Action("ann", "k1", 16)) == ["C"]
    assert board.totals() == {"ann": 15}
    conflict = board.events()[-1]
    assert (conflict.kind, conflict.score, conflict.reached_ms) == (EventKind.CONFLICT, None, None)
    assert conflict.body.p == 16
    assert board.meta()["event"] == conflict.id
    assert (board.receipt(Action("ann", "k1")) or "").startswith("A15,15,")


def test_a_resent_attempt_with_other_points_is_still_a_conflict(board: Board) -> None:
    action = Action("ann", "k1", 15)
    (accepted,) = board.submit(action)
    assert board.submit(replace(action, points=-15)) == ["C"]
    assert board.submit(action) == [accepted]


def test_only_the_first_conflict_of_an_action_is_recorded(board: Board) -> None:
    action = Action("ann", "k1", 15)
    (accepted,) = board.submit(action)
    first, ttl = board.receipt(action), board.redis.pttl(board.receipt_key(action))
    others = [Action("ann", "k1", points) for points in (14, 16, 14, 17)]
    assert board.submit(*others[:2]) == ["C", "C"]
    assert board.receipt(action) == f"{first}!"
    assert 0 < board.redis.pttl(board.receipt_key(action)) <= ttl
    before = board.dump()
    assert board.submit(*others[2:]) == ["C", "C"]
    assert board.dump() == before
    assert [e.body.p for e in board.events() if e.kind is EventKind.CONFLICT] == [14]
    event = accepted.split(" ")[3]
    assert board.submit(action, replace(action, attempt="u")) == [accepted, f"D 15 {event}"]


def test_an_action_twice_in_one_call_counts_once(board: Board) -> None:
    action = Action("ann", "k1", 15)
    accepted, duplicate, conflict = board.submit(
        action, replace(action, attempt="u"), replace(action, attempt="v", points=14)
    )
    assert duplicate == f"D 15 {accepted.split(' ')[3]}"
    assert conflict == "C"
    assert board.totals() == {"ann": 15}


def test_a_refused_action_stays_refused_whatever_the_agents_say_later(board: Board) -> None:
    refused = Action("ann", "k1", 15, verdict=Verdict(refused_by="time,device"))
    assert board.submit(refused) == ["R time,device"]
    approved = Action("ann", "k1", 15, verdict=Verdict(profile_revision="1"))
    assert board.submit(approved) == ["R time,device"]
    assert board.submit(Action("ann", "k1", 15)) == ["R time,device"]
    assert board.totals() == {}
    (event,) = board.events()
    assert (event.kind, event.score, event.reached_ms) == (EventKind.REFUSED, None, None)
    assert board.receipt(refused) == receipt(
        Kept.REFUSED,
        points=15,
        score=None,
        attempt=refused.attempt,
        event=event.id,
        agents=("time", "device"),
    )


def test_other_points_after_a_refusal_are_a_conflict(board: Board) -> None:
    board.submit(Action("ann", "k1", 15, verdict=Verdict(refused_by="time")))
    assert board.submit(Action("ann", "k1", 14, verdict=Verdict())) == ["C"]
    assert [e.kind for e in board.events()] == [EventKind.REFUSED, EventKind.CONFLICT]
    assert board.submit(Action("ann", "k1", 15)) == ["R time"]


def test_a_receipt_wins_over_a_verdict_a_stale_memory_bounds_and_a_rate(board: Board) -> None:
    action = Action("ann", "k1", 15)
    (accepted,) = board.submit(action)
    duplicate = f"D 15 {accepted.split(' ')[3]}"
    for verdict in (Verdict(refused_by="time"), Verdict(profile_revision="9")):
        assert board.submit(Action("ann", "k1", 15, verdict=verdict)) == [duplicate]
    assert board.submit(Action("ann", "k1", 15), max=14) == [duplicate]
    board.redis.lpush(board.keys.rate(b"ann"), board.now_ms())
    assert board.submit(Action("ann", "k1", 15), rate=1, rate_ms=60_000) == [duplicate]
    board.redis.zadd(board.keys.board, {"ann": 2**50})
    assert board.submit(Action("ann", "k1", 15)) == [duplicate]


def test_a_reverted_action_is_a_duplicate_and_never_counts_again(board: Board) -> None:
    action = Action("ann", "k1", 15)
    text = receipt(Kept.REVERTED, points=15, score=15, attempt=action.attempt, event="7-1")
    board.redis.set(board.receipt_key(action), text)
    assert board.submit(action) == ["D 15 7-1"]
    assert board.submit(Action("ann", "k1", 15)) == ["D 15 7-1"]
    assert board.submit(Action("ann", "k1", 16)) == ["C"]
    assert board.totals() == {}


def test_after_the_window_the_action_counts_as_new(board: Board) -> None:
    action = Action("ann", "k1", 15)
    board.submit(action)
    board.redis.pexpireat(board.receipt_key(action), 1)
    assert board.submit(action)[0].startswith("A 30 1 ")


def test_a_hit_receipt_is_written_again_when_a_durability_wait_follows(board: Board) -> None:
    action = Action("ann", "k1", 15)
    board.submit(action)
    written, ttl = board.receipt(action), board.redis.pttl(board.receipt_key(action))
    sets = board.redis.info("commandstats")["cmdstat_set"]["calls"]
    assert board.submit(action, rewrite=1)[0].startswith("A 15 ")
    assert board.redis.info("commandstats")["cmdstat_set"]["calls"] == sets + 1
    assert board.receipt(action) == written
    assert 0 < board.redis.pttl(board.receipt_key(action)) <= ttl


def test_receipts_of_users_and_actions_with_colons_are_never_mistaken(board: Board) -> None:
    names = [("a:b", "c"), ("a", "b:c"), ("a:", "b:c"), ("1:a", "b"), ("a:b:c", "d"), ("a", ":b")]
    replies = board.submit(*(Action(user, action, 1) for user, action in names))
    assert [reply[0] for reply in replies] == ["A"] * len(names)
    assert len(board.redis.keys("sb:*:action:*")) == len(names)


@pytest.mark.parametrize(
    "name",
    [
        'quo"te',
        "back\\slash",
        "sla/sh</script>",
        "with space ",
        "日本語-😀",
        "{1}:[2],'3'",
        "%d%s%%",
        "null",
        "1e400",
        "e\u0301",
        "\u2028line",
        "x" * 128,
    ],
)
def test_any_name_is_kept_byte_for_byte(board: Board, name: str) -> None:
    action = Action(name, name, 7)
    (reply,) = board.submit(action)
    assert reply.startswith("A 7 1 ")
    assert board.totals() == {name: 7}
    (event,) = board.events()
    assert (event.body.u, event.body.a) == (name, name)
    assert board.submit(Action(name, name, 7))[0].startswith("D 7 ")


BY_HAND = ("junk", "", "A15", "X15,15,t,1-0,", "A15,,t,1-0,", "A15,15,t,later,", "R15,,t")


@pytest.mark.parametrize("text", BY_HAND)
def test_a_receipt_that_cannot_be_read_counts_as_absent_and_is_replaced(
    board: Board, text: str
) -> None:
    action = Action("ann", "k1", 15)
    board.redis.set(board.receipt_key(action), text)
    (accepted,) = board.submit(action)
    assert accepted.startswith("A 15 1 ")
    assert board.submit(action) == [accepted]


def test_a_gated_action_with_such_a_receipt_is_judged_when_it_comes_again(board: Board) -> None:
    """Who prepares the call judges no action that has a receipt."""
    action = Action("ann", "k1", 15, verdict=Verdict(profile_revision="none"))
    board.redis.set(board.receipt_key(action), "junk")
    assert board.submit(action) == ["S"]
    assert not board.redis.exists(board.receipt_key(action))
