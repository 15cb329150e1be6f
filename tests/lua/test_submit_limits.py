"""submit_scores: a board's bounds of points and its rate."""

from __future__ import annotations

import random

from scoreboard.wire.events import EventKind
from tests.lua.harness import Action, Board, Verdict
from tests.support.waiting import wait_until

WINDOW_MS = 600_000


def wait_of(reply: str) -> int:
    letter, _, ms = reply.partition(" ")
    assert letter == "L"
    return int(ms)


def test_points_on_the_bounds_pass_and_outside_nothing_is_written(board: Board) -> None:
    replies = board.submit(Action("ann", "k1", -5), Action("ann", "k2", 10), min=-5, max=10)
    assert [reply[0] for reply in replies] == ["A", "A"]
    before = board.dump()
    assert board.submit(Action("ann", "k3", -6), Action("ann", "k4", 11), min=-5, max=10) == [
        "B",
        "B",
    ]
    assert board.dump() == before


def test_an_action_outside_the_bounds_may_come_again_when_they_are_wider(board: Board) -> None:
    assert board.submit(Action("ann", "k1", 11), max=10) == ["B"]
    assert board.submit(Action("ann", "k1", 11), max=11)[0].startswith("A 11 ")


def test_the_verdict_comes_before_the_bounds(board: Board) -> None:
    action = Action("ann", "k1", 11, verdict=Verdict(refused_by="time"))
    assert board.submit(action, max=10) == ["R time"]
    stale = Action("ann", "k2", 11, verdict=Verdict(profile_revision="7"))
    assert board.submit(stale, max=10) == ["S"]


def test_a_user_has_as_many_actions_accepted_as_the_rate_allows(board: Board) -> None:
    actions = [Action("ann", f"k{i}", 1) for i in range(5)] + [Action("bob", "k1", 1)]
    replies = board.submit(*actions, rate=3, rate_ms=WINDOW_MS)
    assert [reply[0] for reply in replies] == ["A", "A", "A", "L", "L", "A"]
    assert wait_of(replies[3]) == WINDOW_MS
    assert board.totals() == {"ann": 3, "bob": 1}
    assert board.receipt(actions[3]) is None


def test_the_window_slides_over_each_accepted_action(board: Board) -> None:
    now = board.now_ms()
    for age in (540_000, 360_000, 180_000):
        board.redis.lpush(board.keys.rate(b"ann"), now - age)
    (limited,) = board.submit(Action("ann", "k1", 1), rate=3, rate_ms=600_000)
    late = board.now_ms() - now
    assert 60_000 - late <= wait_of(limited) <= 60_000
    accepted, limited = board.submit(
        Action("ann", "k2", 1), Action("ann", "k3", 1), rate=3, rate_ms=540_000
    )
    assert accepted[0] == "A"
    assert 180_000 - (board.now_ms() - now) <= wait_of(limited) <= 180_000


async def test_a_limited_action_is_accepted_as_soon_as_the_wait_it_was_told_is_over(
    board: Board,
) -> None:
    window = 60
    board.submit(Action("ann", "k1", 1), rate=1, rate_ms=window)
    # What the rate keeps of it may be gone by now, and an event's own time be a millisecond later
    # (7.0).
    first = board.events()[-1].reached_ms
    assert first is not None

    def accepted() -> bool:
        now = board.now_ms()
        (reply,) = board.submit(Action("ann", "k2", 1), rate=1, rate_ms=window)
        if reply[0] == "A":
            return True
        assert now < first + window
        assert 0 < wait_of(reply) <= first + window - now
        return False

    await wait_until(accepted, description="the rate's window is over", interval=0.001)
    last = board.events()[-1].reached_ms
    assert last is not None
    assert last >= first + window


async def test_after_the_clock_went_back_a_user_waits_one_window_and_no_longer(
    board: Board,
) -> None:
    """Times that the clock has not reached yet count as now, once."""
    key = board.keys.rate(b"ann")
    for ahead in range(3):
        board.redis.lpush(key, board.now_ms() + 3_600_000 + ahead)
    (limited,) = board.submit(Action("ann", "k1", 1), rate=3, rate_ms=WINDOW_MS)
    assert wait_of(limited) == WINDOW_MS
    assert max(map(int, board.redis.lrange(key, 0, -1))) <= board.now_ms()
    assert 0 < board.redis.pttl(key) <= WINDOW_MS

    def accepted() -> bool:
        # A window of which the end can be waited for.
        replies = board.submit(*(Action("ann", f"k{i}", 1) for i in range(3)), rate=3, rate_ms=60)
        return [reply[0] for reply in replies] == ["A", "A", "A"]

    await wait_until(accepted, description="all three count", interval=0.001)


def test_no_window_ever_holds_more_accepted_actions_than_the_rate(board: Board) -> None:
    """Against a model that keeps every accepted time; past times are planted, since the server's
    clock can't be turned."""
    chance = random.Random(7)
    for round_ in range(200):
        user, rate = f"u{round_}", chance.randint(1, 5)
        now = board.now_ms()
        ages = sorted((chance.randint(0, 20_000) for _ in range(rate)), reverse=True)
        for age in ages:
            board.redis.lpush(board.keys.rate(user.encode()), now - age)
        count = chance.randint(1, 6)
        replies = board.submit(
            *(Action(user, f"k{i}", 1) for i in range(count)), rate=rate, rate_ms=10_000
        )
        times = [now - age for age in ages]
        then = int(board.redis.lindex(board.keys.rate(user.encode()), 0))
        for reply in replies:
            recent = sum(time > then - 10_000 for time in times)
            if reply[0] == "A":
                assert recent < rate
                times.append(then)
            else:
                assert sum(time > now - 10_000 for time in times) >= rate


def test_only_accepted_actions_count_against_the_rate(board: Board) -> None:
    rate = {"rate": 2, "rate_ms": WINDOW_MS, "max": 10}
    first = Action("ann", "k1", 1)
    board.submit(first, **rate)
    not_accepted = [
        Action("ann", "k1", 1),  # duplicate
        Action("ann", "k1", 2),  # conflict
        Action("ann", "k2", 11),  # out of bounds
    ]
    assert [reply[0] for reply in board.submit(*not_accepted, **rate)] == ["D", "C", "B"]
    refused = Action("ann", "k3", 1, verdict=Verdict(refused_by="time"))
    assert board.submit(refused, **rate) == ["R time"]
    board.redis.zadd(board.keys.board, {"ann": 2**50})
    assert board.submit(Action("ann", "k4", 1), **rate) == ["O"]
    board.redis.zadd(board.keys.board, {"ann": 0})
    assert board.submit(Action("ann", "k5", 1), **rate)[0].startswith("A")
    assert board.submit(Action("ann", "k6", 1), **rate)[0].startswith("L")


def test_a_limited_action_leaves_nothing_behind(board: Board) -> None:
    board.submit(Action("ann", "k1", 1), rate=1, rate_ms=WINDOW_MS)
    before = board.dump()
    assert board.submit(Action("ann", "k2", 1), rate=1, rate_ms=WINDOW_MS)[0].startswith("L ")
    assert board.dump() == before
    assert [event.kind for event in board.events()] == [EventKind.ACCEPTED]


def test_the_times_of_a_user_are_as_few_as_the_rate_and_expire_with_its_window(
    board: Board,
) -> None:
    key = board.keys.rate(b"ann")
    board.submit(*(Action("ann", f"k{i}", 1) for i in range(3)), rate=3, rate_ms=WINDOW_MS)
    board.submit(Action("ann", "k9", 1), rate=2, rate_ms=1)
    assert board.redis.llen(key) <= 3
    board.redis.delete(key)
    before = board.now_ms()
    board.submit(Action("ann", "k10", 1), rate=2, rate_ms=WINDOW_MS)
    assert before + WINDOW_MS <= board.expiry(key) <= board.now_ms() + WINDOW_MS
