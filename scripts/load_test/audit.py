"""Whether what was acknowledged is what is there: on the board, in Postgres, on every screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg
import msgspec

from scripts.load.api import Api, ApiError
from scripts.load_test.plan import Plan
from scripts.load_test.watcher import Position

MAX_SHOWN = 5  # differences that are spelled out
SETTLE_TIMEOUT = 30.0  # seconds for the clients to have the final top 10
DRAIN_TIMEOUT = 120.0  # seconds for the persister to write what is left

Totals = Mapping[str, int]  # points by user


class Check(msgspec.Struct, frozen=True):
    """One comparison; ``problems`` is empty when it holds, ``skipped`` says why it was not made."""

    name: str
    compared: str
    problems: list[str] = []
    skipped: str = ""

    @property
    def passed(self) -> bool:
        return not self.problems


def differences(where: str, expected: Totals, found: Totals) -> list[str]:
    """How ``found`` differs from what was acknowledged, a line for each user."""
    lines = []
    for user in sorted(expected.keys() | found.keys()):
        want, have = expected.get(user), found.get(user)
        if want is None:
            lines.append(f"{user} has {have} {where}, though none of its actions was acknowledged")
        elif have is None:
            lines.append(f"{user} is missing {where}; {want} points were acknowledged")
        elif want != have:
            lines.append(
                f"{user} has {have} {where}, {abs(have - want)} {'more' if have > want else 'less'}"
                f" than the {want} that were acknowledged"
            )
    return lines


def shown(lines: Sequence[str]) -> list[str]:
    """The first differences, and how many more there are."""
    more = len(lines) - MAX_SHOWN
    return [*lines[:MAX_SHOWN], *([f"… and {more:,} more"] if more > 0 else [])]


def answers(unsettled: int, violations: int, examples: Sequence[str]) -> Check:
    """Every action has an outcome, and no answer broke the contract."""
    problems = [f"{unsettled:,} calls never got an answer that tells their outcome"]
    if not unsettled:
        problems = []
    if violations:
        problems.append(f"{violations:,} answers break the contract")
        problems += shown(examples)
    return Check("Answers", "every action has one outcome, duplicates the original's", problems)


async def boards(api: Api, plan: Plan, expected: Mapping[str, Totals]) -> Check:
    """The sums of acknowledged points = the board's totals, for every user that was named."""
    problems = []
    users = [plan.user(index) for index in range(plan.users + 1)]
    try:
        for board, totals in expected.items():
            lines = differences(f"on {board}", totals, await api.scores(board, users))
            problems += shown(lines)
    except ApiError as error:
        problems.append(f"the boards can't be read: {error}")
    return Check("Boards", _compared(expected, "users' totals, read through the API"), problems)


async def postgres(database_url: str | None, expected: Mapping[str, Totals], actions: int) -> Check:
    """The same sums = Postgres's totals = the ledger's sums, and as many rows as actions."""
    name, compared = "Postgres", _compared(expected, "totals and ledger sums")
    if database_url is None:
        return Check(name, compared, skipped="the database's address is not known")
    try:
        return Check(name, compared, await _postgres(database_url, expected, actions))
    except (OSError, asyncpg.PostgresError) as error:
        return Check(name, compared, [f"Postgres can't be read: {error}"])


async def _postgres(url: str, expected: Mapping[str, Totals], actions: int) -> list[str]:
    connection = await asyncpg.connect(url)
    problems = []
    rows = 0
    try:
        for board, totals in expected.items():
            stored = await connection.fetch(
                "SELECT user_id, score FROM user_score WHERE board = $1", board
            )
            problems += shown(
                differences(f"in user_score of {board}", totals, dict(map(tuple, stored)))
            )
            ledger = await connection.fetch(
                "SELECT user_id, sum(points)::bigint, count(*) FROM score_action"
                " WHERE board = $1 AND status = 'accepted' AND reverted_event_ms IS NULL"
                " GROUP BY user_id",
                board,
            )
            sums = {user: points for user, points, _ in map(tuple, ledger)}
            problems += shown(differences(f"in the ledger of {board}", totals, sums))
            rows += sum(count for _, _, count in map(tuple, ledger))
    finally:
        await connection.close()
    if rows != actions:
        problems.append(f"the ledger has {rows:,} actions, {actions:,} were acknowledged")
    return problems


async def drained(api: Api) -> tuple[float | None, list[str]]:
    """Wait until nothing waits to be written; seconds that it took, None when the server does
    not say."""
    started = time.monotonic()
    while True:
        try:
            backlog = await api.backlog()
        except ApiError as error:
            return None, [f"the backlog can't be read: {error}"]
        waited = time.monotonic() - started
        if backlog is None:
            return None, []
        if backlog == 0:
            return waited, []
        if waited > DRAIN_TIMEOUT:
            return None, [f"{backlog:,} events are still unwritten after {waited:.0f} s"]
        await asyncio.sleep(0.05)


async def screens(api: Api, plan: Plan, ask: Callable[[], Awaitable[list[Position]]]) -> Check:
    """Every client ends on the final top 10, by versions that only ever grew."""
    compared = f"{plan.clients:,} clients' last top 10, versions growing"
    if not plan.clients:
        return Check("Clients", compared, skipped="there were no WebSocket clients")
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while True:
        try:
            final = [await api.top(plan.board(index)) for index in range(plan.boards)]
        except ApiError as error:
            return Check("Clients", compared, [f"the top 10 can't be read: {error}"])
        positions = await ask()
        behind = [
            f"client {number} shows version {client.version} of {plan.board(client.board)}, "
            f"the final one is {final[client.board][0]}"
            + ("" if client.version != final[client.board][0] else " with another top 10")
            for number, client in enumerate(positions)
            if (client.version, client.top) != final[client.board]
        ]
        if not behind or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.05)
    backwards = [
        f"client {number} got {client.backwards} messages whose version had not grown"
        for number, client in enumerate(positions)
        if client.backwards
    ]
    return Check("Clients", compared, [*shown(behind), *shown(backwards)])


def _compared(expected: Mapping[str, Totals], what: str) -> str:
    return f"{sum(map(len, expected.values())):,} {what}"
