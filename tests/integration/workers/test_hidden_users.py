"""A user is hidden in Postgres and in Redis, or in neither, wherever the change breaks off; what
Postgres says wins, and a repeat makes it so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asyncpg.transaction import Transaction
from structlog.testing import capture_logs

from scoreboard.domain.reviews import Review
from scoreboard.errors import BoardCold, Unavailable
from scoreboard.redisio.moderation import ModeratedBoards
from tests.support.moderated_arena import Moderated

COMMIT = "_Transaction__commit"  # asyncpg's last step of a transaction

Change = Callable[[Moderated, Review], Awaitable[Any]]


async def hide(court: Moderated, _: Review) -> None:
    await court.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="a bot")


async def show(court: Moderated, _: Review) -> None:
    await court.moderator.set_hidden("arena", "ann", hidden=False, by="eve", reason="appeal")


async def confirm(court: Moderated, case: Review) -> None:
    await court.moderator.confirm(case.id, by="eve", reason="a bot", hide_user=True)


@pytest.fixture(params=[hide, show, confirm])
async def change(request: pytest.FixtureRequest) -> Change:
    made: Change = request.param
    return made


@pytest.fixture
async def case(court: Moderated, change: Change) -> Review:
    """A refused action of ann, who is on the board, and hidden when she is to be shown."""
    await court.set_mode("reject")
    await court.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    case = await court.case("ann", "cheat", 100)
    if change is show:
        await hide(court, case)
    return case


async def is_hidden(court: Moderated) -> bool:
    """In Postgres, as in Redis and for who reads next."""
    await court.agree({"ann": 5, "bob": 7})  # makes the board live if it was left fenced
    text = "SELECT hidden FROM user_score WHERE board = 'arena' AND user_id = 'ann'"
    hidden = bool(await court.database.fetchval(text))
    assert set(await court.arena.zset(court.arena.keys.hidden)) == ({"ann"} if hidden else set())
    assert set(await court.arena.totals()) == ({"bob"} if hidden else {"ann", "bob"})
    return hidden


async def test_a_change_keeps_the_board_live(
    court: Moderated, change: Change, case: Review
) -> None:
    epoch = (await court.arena.meta())["epoch"]
    await change(court, case)
    assert (await court.arena.meta())["epoch"] == epoch
    assert await is_hidden(court) is (change is not show)


@pytest.mark.parametrize("committed", [True, False])
async def test_when_the_connection_is_lost_at_the_commit_both_have_what_postgres_has(
    court: Moderated,
    change: Change,
    case: Review,
    committed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fence, commit = ModeratedBoards.fence, getattr(Transaction, COMMIT)

    async def lose(transaction: Transaction) -> None:
        monkeypatch.undo()
        if committed:
            await commit(transaction)
            raise ConnectionResetError
        transaction._connection.terminate()
        await commit(transaction)

    async def fence_before_the_loss(boards: ModeratedBoards, board: str) -> str:
        monkeypatch.setattr(Transaction, COMMIT, lose)
        return await fence(boards, board)

    monkeypatch.setattr(ModeratedBoards, "fence", fence_before_the_loss)
    with pytest.raises(Unavailable):
        await change(court, case)
    assert await is_hidden(court) is (committed is (change is not show))
    if change is confirm and committed:
        assert (await court.reviews.get(case.id)).status == "confirmed"
    else:
        await change(court, case)
    assert await is_hidden(court) is (change is not show)


@pytest.mark.parametrize("error", [Unavailable("Redis refuses this now."), RuntimeError("a bug")])
async def test_when_redis_refuses_the_fence_nothing_changes_until_it_is_repeated(
    court: Moderated,
    change: Change,
    case: Review,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: Any) -> str:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(ModeratedBoards, "fence", refuse)
        with pytest.raises(type(error)):
            await change(court, case)
    assert await is_hidden(court) is (change is show)
    await change(court, case)
    assert await is_hidden(court) is (change is not show)


@pytest.mark.parametrize("error", [Unavailable("Redis can't be reached."), BoardCold("cold")])
async def test_when_redis_is_gone_after_the_commit_the_change_holds(
    court: Moderated,
    change: Change,
    case: Review,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(ModeratedBoards, "hide", refuse)
        await change(court, case)
    assert "board_left_fenced" in [entry["event"] for entry in logs]
    assert await is_hidden(court) is (change is not show)
