"""submit_scores under a gate: verdicts, and the memories that they rest on."""

from __future__ import annotations

from scoreboard.wire.events import EventKind
from tests.lua.harness import WINDOW_MS, Action, Board, Verdict

PHONE = {"device_revision": "0", "device": "1:ann"}


def test_an_approved_action_counts_and_its_memories_are_kept(board: Board) -> None:
    action = Action("ann", "k1", 5, verdict=Verdict(profile="1:p", **PHONE))
    before = board.now_ms()
    assert board.submit(action)[0].startswith("A 5 1 ")
    for key in (board.keys.profile(b"ann"), board.keys.device(b"phone")):
        assert before + WINDOW_MS <= board.expiry(key) <= board.now_ms() + WINDOW_MS
    assert board.redis.get(board.keys.profile(b"ann")) == b"1:p"
    assert board.redis.get(board.keys.device(b"phone")) == b"1:ann"


def test_a_refusal_writes_receipt_event_and_memories_and_no_score(board: Board) -> None:
    action = Action("ann", "k1", 5, verdict=Verdict(refused_by="time", profile="1:p", **PHONE))
    assert board.submit(action) == ["R time"]
    assert board.totals() == {}
    assert board.receipt(action) is not None
    assert [event.kind for event in board.events()] == [EventKind.REFUSED]
    assert board.meta()["event"] == board.events()[0].id
    assert board.redis.get(board.keys.profile(b"ann")) == b"1:p"
    assert board.redis.get(board.keys.device(b"phone")) == b"1:ann"


def test_a_profile_that_moved_since_the_verdict_leaves_all_as_it_was(board: Board) -> None:
    board.redis.set(board.keys.profile(b"ann"), "2:newer")
    before = board.dump()
    for refused_by in ("", "time"):
        verdict = Verdict(refused_by=refused_by, profile_revision="1", profile="2:older", **PHONE)
        assert board.submit(Action("ann", "k1", 5, verdict=verdict)) == ["S"]
    assert board.dump() == before


def test_a_device_that_moved_since_the_verdict_leaves_all_as_it_was(board: Board) -> None:
    board.redis.set(board.keys.device(b"phone"), "10:newer")
    before = board.dump()
    verdict = Verdict(device_revision="1", device="2:older")
    assert board.submit(Action("ann", "k1", 5, verdict=verdict)) == ["S"]
    assert board.dump() == before


def test_a_memory_that_expired_since_the_verdict_has_moved(board: Board) -> None:
    verdict = Verdict(profile_revision="3", profile="4:p")
    assert board.submit(Action("ann", "k1", 5, verdict=verdict)) == ["S"]


def test_without_a_device_no_device_is_looked_at_or_kept(board: Board) -> None:
    board.redis.set(board.keys.device(b"phone"), "9:others")
    verdict = Verdict(device_revision="", device="")
    assert board.submit(Action("ann", "k1", 5, verdict=verdict))[0][0] == "A"
    assert board.redis.get(board.keys.device(b"phone")) == b"9:others"


def test_an_empty_memory_keeps_the_one_that_is_there(board: Board) -> None:
    board.redis.set(board.keys.profile(b"ann"), "4:known")
    verdict = Verdict(profile_revision="4", profile="")
    assert board.submit(Action("ann", "k1", 5, verdict=verdict))[0][0] == "A"
    assert board.redis.get(board.keys.profile(b"ann")) == b"4:known"


def test_later_actions_of_a_call_see_the_memory_left_by_earlier_ones(board: Board) -> None:
    replies = board.submit(
        Action("ann", "k1", 1, verdict=Verdict(profile="1:a", **PHONE)),
        Action("ann", "k2", 1, verdict=Verdict(profile_revision="1", profile="2:b")),
        Action("ann", "k3", 1, verdict=Verdict(profile_revision="1", profile="2:c")),
        Action("bob", "k1", 1, verdict=Verdict(device_revision="0", device="1:bob")),
        Action("bob", "k2", 1, verdict=Verdict(device_revision="1", device="2:ann,bob")),
    )
    assert [reply[0] for reply in replies] == ["A", "A", "S", "S", "A"]
    assert board.redis.get(board.keys.profile(b"ann")) == b"2:b"
    assert board.redis.get(board.keys.device(b"phone")) == b"2:ann,bob"
    assert board.totals() == {"ann": 2, "bob": 1}


def test_of_two_servers_that_judged_on_the_same_memory_one_judges_again(board: Board) -> None:
    one = Action("ann", "k1", 1, verdict=Verdict(profile="1:one"))
    other = Action("ann", "k2", 1, verdict=Verdict(profile="1:other"))
    assert board.submit(one)[0][0] == "A"
    assert board.submit(other) == ["S"]
    again = Action("ann", "k2", 1, verdict=Verdict(profile_revision="1", profile="2:both"))
    assert board.submit(again)[0].startswith("A 2 ")


def test_an_action_that_is_not_accepted_in_the_end_leaves_no_memory(board: Board) -> None:
    approved = Verdict(profile="1:p", **PHONE)
    assert board.submit(Action("ann", "k1", 11, verdict=approved), max=10) == ["B"]
    board.redis.lpush(board.keys.rate(b"ann"), board.now_ms())
    limited = board.submit(Action("ann", "k2", 1, verdict=approved), rate=1, rate_ms=60_000)
    assert limited[0][0] == "L"
    assert board.submit(Action("ann", "k3", 2**50 + 1, verdict=approved)) == ["O"]
    assert not board.redis.exists(board.keys.profile(b"ann"), board.keys.device(b"phone"))


def test_a_resent_gated_call_answers_as_the_first_time(board: Board) -> None:
    batch = [
        Action("ann", "k1", 1, verdict=Verdict(profile="1:a")),
        Action("ann", "k2", 1, verdict=Verdict(profile_revision="1", profile="2:b")),
        Action("bob", "k1", 1, verdict=Verdict(refused_by="behavior")),
    ]
    first = board.submit(*batch)
    before = board.dump()
    again = board.submit(*batch)
    assert again[1:] == first[1:]
    assert again[0].split(" ")[:2] == first[0].split(" ")[:2]
    assert board.dump() == before


def test_an_action_that_nobody_could_judge_is_answered_so_and_writes_nothing(board: Board) -> None:
    action = Action("ann", "k1", 5, verdict=Verdict(refused_by="?", profile_revision="-"))
    before = board.dump()
    assert board.submit(action) == ["U"]
    assert board.dump() == before
    board.submit(Action("ann", "k1", 5))
    assert board.submit(action)[0].startswith("D 5 ")
