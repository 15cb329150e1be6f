"""Tables as they were, histories and explanations, against a model over random seasons."""

from __future__ import annotations

import itertools
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import EventId
from scoreboard.errors import TooExpensive, UnknownBoard
from scoreboard.pg.histories import Histories
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.past_tables import PastTables
from tests.support.ledger_entries import PARTITION, START_MS
from tests.support.past_season import Action, Season, Written

USERS = ("ann", "bob", "cy", "dan")
TABLES = ("", "day:1", "week:1")
WHERE: tuple[tuple[str, ...], ...] = ((), ("week:1",), ("day:1", "week:1"))
NO_LIMIT = 60.0

rules = st.builds(
    BoardSettings,
    operator=st.sampled_from(["sum", "best", "last"]),
    order=st.sampled_from(["desc", "asc"]),
    rank_style=st.sampled_from(["ordinal", "standard"]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["post", "post", "post", "revert", "refuse", "approve"]),
        st.sampled_from(USERS),
        st.integers(-2, 3),
        st.sampled_from(WHERE),
        st.integers(0, 99),
    ),
    min_size=2,
    max_size=24,
)
_boards = itertools.count()


def played(season: Season, wanted: list[tuple[str, str, int, tuple[str, ...], int]]) -> list[Any]:
    """The events of a season of these steps; one that can't be taken is a post."""
    written: list[Written] = []
    for kind, user, points, where, which in wanted:
        fit = {"revert": "accepted", "approve": "refused"}.get(kind)
        found = [one for one in season.actions if one.status == fit]
        if fit and found:
            action = found[which % len(found)]
            written.append((season.revert if kind == "revert" else season.approve)(action))
        else:
            written.append(
                (season.refuse if kind == "refuse" else season.post)(user, points, where)
            )
    return written


async def kept(
    database: asyncpg.Connection, ledger: Ledger, rule: BoardSettings, wanted: Any
) -> Season:
    """A season on a board of its own, later than those before, in the ledger."""
    number = next(_boards)
    season = Season(f"past{number}", START_MS + number * 1_000, rule)
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ($1, $2, $3)",
        *(season.board, PARTITION, rule.to_text()),
    )
    async with ledger.locked(PARTITION) as session:
        await session.write(played(season, wanted), [])
    return season


def table_of(season: Season, name: str) -> str:
    return f"{season.board}:{name}" if name else season.board


def ranks(season: Season, order: list[tuple[str, int]]) -> list[int]:
    """The ranks of users in this order."""
    scores = [score for _, score in order]
    if season.rules.rank_style == "standard":
        return [1 + scores.index(score) for score in scores]
    return list(range(1, len(order) + 1))


# Who took over by an action that changed nothing, and what is left after one was taken back.
NOTHING_CHANGED: Any = [
    *(("post", "ann", 1, (), 0), ("post", "bob", 1, (), 0), ("post", "ann", 0, (), 0)),
]
LEFT_BEHIND: Any = [
    *(("post", "ann", 1, (), 0), ("post", "bob", 1, (), 0), ("post", "ann", 1, (), 0)),
    *(("post", "ann", 2, (), 0), ("revert", "ann", 0, (), 3)),
]

random_seasons = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(rules, steps)
@random_seasons
@example(BoardSettings(), NOTHING_CHANGED)
@example(BoardSettings(operator="last"), LEFT_BEHIND)
@example(BoardSettings(operator="best"), LEFT_BEHIND)
async def test_a_table_is_read_as_it_was_at_any_moment(
    database: asyncpg.Connection,
    ledger: Ledger,
    pool: asyncpg.Pool,
    rule: BoardSettings,
    wanted: Any,
) -> None:
    season = await kept(database, ledger, rule, wanted)
    past = PastTables(pool, patience=NO_LIMIT)
    for number in (-1, *range(1, len(season.after), 5), len(season.after) - 1):
        ms = season.ms(number)
        for name in TABLES:
            expected = season.order(name, ms)
            top = await past.top(table_of(season, name), ms)
            assert [(one.user_id, one.score) for one in top] == expected, (name, number)
            placed = zip(expected, ranks(season, expected), strict=True)
            for place, ((user, score), rank) in enumerate(placed):
                found = await past.user(table_of(season, name), user, ms)
                assert found is not None
                assert (found.score, found.rank) == (score, rank)
                above = found.next and (found.next.user_id, found.next.gap)
                better = expected[place - 1] if place else None
                assert above == (better and (better[0], abs(better[1] - score)))
        assert await past.user(season.board, "nobody", ms) is None


@given(rules, steps)
@random_seasons
async def test_a_history_has_each_action_with_the_score_after_it(
    database: asyncpg.Connection,
    ledger: Ledger,
    pool: asyncpg.Pool,
    rule: BoardSettings,
    wanted: Any,
) -> None:
    season = await kept(database, ledger, rule, wanted)
    histories = Histories(pool, patience=NO_LIMIT)
    for user, name in itertools.product(USERS, TABLES):
        expected = [
            (one.name, one.points, one.status, one.scores.get(name), one.number)
            for one in sorted(season.actions, key=lambda one: -one.number)
            if one.user == user and concerns(one, name)
        ]
        found: list[Any] = []
        before = None
        while page := await histories.actions(
            *(table_of(season, name), user),
            from_ms=season.start_ms,
            to_ms=season.ms(len(season.after)) + 1,
            before=before,
            limit=3,
            refused=True,
        ):
            found += page
            before = page[-1].event
        assert [
            (one.action_id, one.points, one.status, one.score, number_of(season, one.event))
            for one in found
        ] == expected
        taken = {one.name: one.reverted for one in season.actions if one.reverted is not None}
        assert {
            one.action_id: number_of(season, one.reverted) for one in found if one.reverted
        } == {one: taken[one] for one, *_ in expected if one in taken}


def concerns(action: Action, table: str) -> bool:
    # The ledger of this test has no occurrences opened, by whose times the refused would be told.
    return not table or (table in action.where and action.status != "refused")


def number_of(season: Season, event: EventId) -> int:
    return 2 * (event.ms - season.start_ms) + event.seq


@given(rules, steps, st.integers(1, 4))
@random_seasons
async def test_a_chart_has_the_last_score_of_each_piece_of_time(
    database: asyncpg.Connection,
    ledger: Ledger,
    pool: asyncpg.Pool,
    rule: BoardSettings,
    wanted: Any,
    length: int,
) -> None:
    season = await kept(database, ledger, rule, wanted)
    histories = Histories(pool, patience=NO_LIMIT)
    first = season.start_ms + 2
    bounds = list(range(first, season.ms(len(season.after)) + length + 1, length))
    for user, name in itertools.product(USERS, TABLES):
        touched = {
            season.ms(number)
            for number, (who, tables) in enumerate(season.touched)
            if who == user and name in tables
        }
        expected = []
        for place, (start, end) in enumerate(itertools.pairwise(bounds)):
            if touched & set(range(start, end)):
                there = season.totals_at(name, end - 1).get(user)
                expected.append((place, there and there.total * rule.sign))
        scores, earlier = await histories.scores(table_of(season, name), user, bounds)
        assert [tuple(one) for one in scores] == expected[::-1]
        assert earlier == any(ms < first for ms in touched)


@given(rules, steps)
@random_seasons
async def test_an_explanation_adds_up_and_names_both_neighbours(
    database: asyncpg.Connection,
    ledger: Ledger,
    pool: asyncpg.Pool,
    rule: BoardSettings,
    wanted: Any,
) -> None:
    season = await kept(database, ledger, rule, wanted)
    histories = Histories(pool, patience=NO_LIMIT)
    for name in TABLES:
        order = season.order(name, season.ms(len(season.after)))
        for place, (user, score) in enumerate(order):
            explained = await histories.explained(
                table_of(season, name), user, before=None, limit=100
            )
            assert explained is not None
            _, why = explained
            assert (why.score, why.by_ledger, why.players) == (score, score, len(order))
            counted = [one for one in why.actions if one.status == "accepted"]
            assert why.counted == len(counted)
            points = [one.points * rule.sign for one in reversed(counted)]
            if rule.operator == "sum":
                assert sum(points) * rule.sign == score
            else:
                assert why.decisive is not None
                assert why.decisive.points == score
                best = rule.operator == "best"
                assert why.decisive.points * rule.sign == (max(points) if best else points[-1])
            around = [
                (place - 1, why.above),
                (place, why.own),
                (place + 1, why.below),
            ]
            for number, one in around:
                inside = 0 <= number < len(order)
                expected = (*order[number], ranks(season, order)[number]) if inside else None
                assert (one and (one.user_id, one.score, one.rank)) == expected


async def test_who_is_hidden_is_hidden_in_the_past(
    database: asyncpg.Connection, ledger: Ledger, pool: asyncpg.Pool
) -> None:
    season = await kept(
        *(database, ledger, BoardSettings()),
        [("post", user, points, (), 0) for user, points in (("ann", 3), ("bob", 2), ("cy", 1))],
    )
    await database.execute(
        "UPDATE user_score SET hidden = true WHERE board = $1 AND user_id = 'ann'", season.board
    )
    past = PastTables(pool, patience=NO_LIMIT)
    assert [one.user_id for one in await past.top(season.board, season.ms(2))] == ["bob", "cy"]
    assert await past.user(season.board, "ann", season.ms(2)) is None
    explained = await Histories(pool, patience=NO_LIMIT).explained(
        season.board, "ann", before=None, limit=9
    )
    assert explained is not None
    assert (explained[1].hidden, explained[1].own, explained[1].score) == (True, None, 3)


async def test_an_answer_that_takes_too_long_is_given_up(
    database: asyncpg.Connection, ledger: Ledger, pool: asyncpg.Pool
) -> None:
    season = await kept(database, ledger, BoardSettings(), [("post", "ann", 1, (), 0)] * 2)
    await database.execute("BEGIN")
    await database.execute("LOCK TABLE score_action")
    with pytest.raises(TooExpensive):
        await PastTables(pool, patience=0.05).top(season.board, season.ms(2))
    with pytest.raises(TooExpensive):
        await Histories(pool, patience=0.05).scores(season.board, "ann", [0, 1])
    await database.execute("ROLLBACK")
    assert await PastTables(pool, patience=NO_LIMIT).top(season.board, season.ms(2))


async def test_the_past_of_an_unknown_board_is_unknown(pool: asyncpg.Pool) -> None:
    with pytest.raises(UnknownBoard):
        await PastTables(pool, patience=NO_LIMIT).top("nowhere", START_MS)
