"""The audit finds what was planted, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest

from scripts.load.api import Api
from scripts.load.target import Target
from scripts.load_test import audit
from scripts.load_test.plan import Plan
from scripts.load_test.watcher import Position, Watcher
from tests.unit.load_test.stub import Stub

BOARD = "load-test-0"


async def test_boards_that_hold_what_was_acknowledged_pass(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    stub.totals[BOARD] = {"u1": 10, "u2": 20, "probe": 99}

    async with Api(target) as api:
        check = await audit.boards(api, make_plan(), {BOARD: {"u1": 10, "u2": 20, "probe": 99}})

    assert check.passed


async def test_points_lost_doubled_or_from_nowhere_are_told_user_by_user(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    stub.totals[BOARD] = {"u1": 9, "u2": 40, "u4": 1}

    async with Api(target) as api:
        check = await audit.boards(api, make_plan(), {BOARD: {"u1": 10, "u2": 20, "u3": 30}})

    assert check.problems == [
        f"u1 has 9 on {BOARD}, 1 less than the 10 that were acknowledged",
        f"u2 has 40 on {BOARD}, 20 more than the 20 that were acknowledged",
        f"u3 is missing on {BOARD}; 30 points were acknowledged",
        f"u4 has 1 on {BOARD}, though none of its actions was acknowledged",
    ]


def test_a_long_list_of_differences_is_cut_and_counted() -> None:
    lines = audit.differences("here", {f"u{n}": 1 for n in range(8)}, {})

    assert audit.shown(lines)[-1] == "… and 3 more"


async def _fill(url: str, *, ledger: list[int], total: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)"
        " VALUES ($1, 'u1', $2, now(), 1, 0)",
        BOARD,
        total,
    )
    for number, points in enumerate(ledger):
        await connection.execute(
            "INSERT INTO score_action (board, user_id, action_id, points, score, event_ms,"
            " event_seq, status, attempt_id) VALUES ($1, 'u1', $2, $3, 0, 1, 0, 'accepted', '')",
            BOARD,
            str(number),
            points,
        )
    await connection.close()


@pytest.mark.parametrize(
    ("ledger", "total", "problems"),
    [
        ([10, 20], 30, []),
        (
            [10, 20],
            31,
            [f"u1 has 31 in user_score of {BOARD}, 1 more than the 30 that were acknowledged"],
        ),
        (
            [10],
            30,
            [
                f"u1 has 10 in the ledger of {BOARD}, 20 less than the 30 that were acknowledged",
                "the ledger has 1 actions, 2 were acknowledged",
            ],
        ),
    ],
)
async def test_postgres_is_held_against_what_was_acknowledged(
    database_url: str, ledger: list[int], total: int, problems: list[str]
) -> None:
    await _fill(database_url, ledger=ledger, total=total)

    check = await audit.postgres(database_url, {BOARD: {"u1": 30}}, 2)

    assert check.problems == problems


async def test_clients_that_have_the_final_top_10_pass(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    plan = make_plan(clients=3)
    stub.totals[BOARD] = {"u1": 10}
    watcher = Watcher(plan, target, 0)
    await watcher.connect()
    await watcher.begin()
    stub.totals[BOARD]["u2"] = 25
    await stub.announce(BOARD)

    async with Api(target) as api:
        check = await audit.screens(api, plan, watcher.positions)
    await watcher.finish()

    assert check.passed
    assert check.compared.startswith("3 clients")


async def test_a_client_left_behind_or_led_back_is_named(
    stub: Stub, target: Target, make_plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SETTLE_TIMEOUT", 0.0)
    stub.totals[BOARD] = {"u1": 10}
    stub.versions[BOARD] = 7
    top = '[{"userId":"u1","score":10}]'

    async def ask() -> list[Position]:
        return [
            Position(0, 7, top, backwards=0, lost=0),
            Position(0, 6, top, backwards=0, lost=0),
            Position(0, 7, "[]", backwards=2, lost=0),
        ]

    async with Api(target) as api:
        check = await audit.screens(api, make_plan(clients=3), ask)

    assert check.problems == [
        f"client 1 shows version 6 of {BOARD}, the final one is 7",
        f"client 2 shows version 7 of {BOARD}, the final one is 7 with another top 10",
        "client 2 got 2 messages whose version had not grown",
    ]


def test_a_call_whose_outcome_never_became_known_fails_the_run() -> None:
    assert audit.answers(0, 0, []).passed
    assert not audit.answers(1, 0, []).passed
    assert not audit.answers(0, 1, ["an answer"]).passed
