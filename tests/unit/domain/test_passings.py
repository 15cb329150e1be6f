"""Who passed whom, against a model that looks at every pair."""

from __future__ import annotations

import random
from math import inf

import pytest

from scoreboard.domain.passings import Passing, Passings

Move = tuple[str, float, float]


def flat(moves: list[Move]) -> list[bytes]:
    return [
        text
        for user, before, after in moves
        for text in (user.encode(), repr(before).encode(), repr(after).encode())
    ]


def passed(moves: list[Move], user: str, before: float, now: float) -> Passing | None:
    return Passings(flat(moves)).of(user.encode(), before, now)


def modelled(moves: list[Move], user: str, before: float, now: float) -> Passing | None:
    """The same, by definition: from below all that the user had to above all of it."""
    had = [before, now]
    for one, was, after in moves:
        if one == user:
            had += [after] if was == -inf else [was, after]
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for one, was, after in moves:
        first.setdefault(one, was)
        last[one] = after
    passers = [one for one in first if first[one] < min(had) and last[one] > max(had)]
    if not passers:
        return None
    nearest = min(passers, key=lambda one: last[one])
    return Passing(nearest, last[nearest], len(passers) - 1)


def test_who_comes_from_below_has_passed() -> None:
    moves: list[Move] = [("bob", 5.5, 15.5)]
    assert passed(moves, "ada", 10.5, 10.5) == Passing("bob", 15.5, 0)
    assert Passing("bob", 15.5, 0).gap(10.5) == 5


def test_a_newcomer_has_passed_whoever_it_stands_above() -> None:
    assert passed([("new", -inf, 11.5)], "ada", 10.5, 10.5) == Passing("new", 11.5, 0)


@pytest.mark.parametrize(
    "moves",
    [
        [],
        [("bob", 11.5, 15.5)],  # above all along
        [("bob", 5.5, 9.5)],  # below still
        [("bob", 15.5, 5.5)],  # falling
        [("bob", 5.5, 15.5), ("bob", 15.5, 7.5)],  # and back
        [("bob", 12.5, 5.5), ("bob", 5.5, 15.5)],  # from above, on a detour
        [("ada", 5.5, 10.5)],  # oneself
    ],
)
def test_nobody_else_has(moves: list[Move]) -> None:
    assert passed(moves, "ada", 10.5, 10.5) is None


def test_who_stood_between_has_not_passed_a_player_that_falls() -> None:
    rising: list[Move] = [("bob", 60.5, 80.5), ("cy", 10.5, 60.5), ("dan", 10.5, 120.5)]
    assert passed([*rising, ("ada", 100.5, 50.5)], "ada", 100.5, 50.5) == Passing("dan", 120.5, 0)


def test_what_led_to_where_a_player_was_seen_counts_no_more() -> None:
    moves: list[Move] = [("ada", 1.5, 20.5), ("bob", 10.5, 30.5)]
    assert passed(moves, "ada", 1.5, 20.5) is None
    assert passed(moves, "ada", 20.5, 20.5) == Passing("bob", 30.5, 0)
    further: list[Move] = [*moves, ("ada", 20.5, 40.5), ("ada", 40.5, 25.5)]
    assert passed(further, "ada", 20.5, 25.5) is None
    assert passed([*further, ("cy", 2.5, 50.5)], "ada", 40.5, 25.5) == Passing("cy", 50.5, 0)


def test_equal_totals_pass_each_other_only_where_they_do_not_share_a_rank() -> None:
    moves = flat([("bob", 1.5, 7.25), ("ada", 2.5, 7.125)])  # ada reached it later
    assert Passings(moves).of(b"ada", 2.5, 7.125) == Passing("bob", 7.25, 0)
    assert Passings(moves).of(b"ada", 2.5, 7.125, shared=True) is None
    assert Passings(moves).of(b"ada", 2.5, 6.125, shared=True) is None
    ahead = Passings(flat([("bob", 1.5, 8.25)]))
    assert ahead.of(b"ada", 7.125, 7.125, shared=True) == Passing("bob", 8.25, 0)


def test_a_fall_that_was_read_already_makes_nobody_a_passer() -> None:
    """The move is noted after the read that showed its score."""
    moves: list[Move] = [("bob", 40.5, 60.5), ("ada", 70.5, 50.5)]
    assert passed(moves, "ada", 50.5, 50.5) is None


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_the_model_over_random_moves(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(15):
        totals: dict[str, float] = {}
        moves: list[Move] = []
        for clock in range(1, draw.randrange(200)):
            user = f"u{draw.randrange(80)}"
            was = totals.get(user, draw.choice((-inf, draw.randrange(100) + 0.25)))
            totals[user] = draw.randrange(100) + 0.5 - clock / 2**20
            moves.append((user, was, totals[user]))
        passings = Passings(flat(moves))
        for number in range(100):
            user = f"u{number}"
            now = totals.get(user, draw.randrange(100) + 0.3)
            before = next((was for one, was, _ in moves if one == user), now)
            if before == -inf:
                continue
            if draw.random() < 0.2:
                before = draw.randrange(100) + 0.3
            expected = modelled(moves, user, before, now)
            assert passings.of(user.encode(), before, now) == expected
