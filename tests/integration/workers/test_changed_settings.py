"""A changed setting is in Postgres and in Redis, or in neither, wherever the change breaks off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import BoardCold, Unavailable
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.redisio.moderation import ModeratedBoards
from tests.support.moderated_arena import Moderated

STRICT = BoardSettings(max_points=10)
TOO_MUCH = 11


async def is_strict(court: Moderated, action: str) -> bool:
    """Whether the next action is bound by the new settings; in Postgres as in Redis."""
    (result,) = await court.arena.submit(("ann", action, TOO_MUCH))
    text = await court.database.fetchval("SELECT settings FROM board WHERE board = 'arena'")
    in_redis = (await court.arena.meta())["settings"]
    assert in_redis == text
    return result.outcome is Outcome.OUT_OF_BOUNDS


async def configure(court: Moderated) -> None:
    await court.moderator.configure("arena", lambda _: STRICT, by="mod")


async def test_a_change_holds_from_the_next_action_on_and_the_board_stays_live(
    court: Moderated,
) -> None:
    assert not await is_strict(court, "a1")
    before = await court.arena.meta()
    await configure(court)
    meta = await court.arena.meta()
    assert {n for n in meta if meta[n] != before[n]} == {"settings"}
    assert await is_strict(court, "a2")


@pytest.mark.parametrize("error", [Unavailable("Redis refuses this now."), RuntimeError("a bug")])
async def test_when_redis_refuses_nothing_changes(
    court: Moderated, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert not await is_strict(court, "a1")

    async def refuse(*_: Any) -> str:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(ModeratedBoards, "fence", refuse)
        with pytest.raises(type(error)):
            await configure(court)
    assert not await is_strict(court, "a2")


async def test_when_the_reply_to_the_fence_is_lost_nothing_changes(
    court: Moderated, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await is_strict(court, "a1")
    fence = ModeratedBoards.fence

    async def fence_unheard(boards: ModeratedBoards, board: str) -> str:
        await fence(boards, board)
        raise Unavailable("Redis can't be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(ModeratedBoards, "fence", fence_unheard)
        with pytest.raises(Unavailable):
            await configure(court)
    assert not await is_strict(court, "a2")
    assert await court.arena.totals() == {"ann": 2 * TOO_MUCH}


@pytest.mark.parametrize("error", [Unavailable("Redis refuses this now."), BoardCold("cold")])
async def test_when_redis_is_gone_after_the_commit_the_change_holds(
    court: Moderated, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert not await is_strict(court, "a1")

    async def refuse(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(ModeratedBoards, "set_settings", refuse)
        await configure(court)
    assert "board_left_fenced" in [entry["event"] for entry in logs]
    assert await is_strict(court, "a2")


@pytest.mark.parametrize("committed", [True, False])
async def test_when_the_commit_is_lost_both_have_what_postgres_has(
    court: Moderated, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    assert not await is_strict(court, "a1")
    changing = StoredSettings.changing

    @asynccontextmanager
    async def unheard(*args: Any, **named: Any) -> AsyncIterator[None]:
        async with changing(*args, **named):
            yield
            if not committed:
                raise Unavailable("Postgres can't be reached.")
        raise Unavailable("Postgres can't be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(StoredSettings, "changing", unheard)
        with pytest.raises(Unavailable):
            await configure(court)
    assert await is_strict(court, "a2") is committed
