"""submit_scores writes everything or nothing: whatever can fail is looked at before the first
write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from scoreboard.domain.boards import BoardSettings, Rate
from scoreboard.wire.scripts import BACKLOG, COLD, SETTINGS, submit_scores
from tests.lua.harness import Action, Board, Verdict

PHONE = Verdict(device_revision="0", device="1:ann")
RATE = {"rate": 5, "rate_ms": 60_000}


def replies_of(board: Board, *actions: Action, **changed: Any) -> list[bytes]:
    replies: list[bytes] = board.run(board.call(*actions, **changed))
    return replies


# A call that is not answered for its actions -----------------------------------------------------


@pytest.mark.parametrize("epoch", [None, "", "a:b"])
def test_a_board_that_is_absent_or_of_another_history_is_cold(
    board: Board, epoch: str | None
) -> None:
    board.submit(Action("ann", "k1", 5))
    if epoch is None:
        board.redis.hdel(board.keys.meta, "epoch")
    else:
        board.redis.hset(board.keys.meta, "epoch", epoch)
    before = board.dump()
    assert replies_of(board, Action("ann", "k2", 5)) == [COLD]
    assert replies_of(board, Action("ann", "k1", 5)) == [COLD]
    assert board.dump() == before


def test_an_emptied_redis_answers_cold(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    board.redis.flushall()
    assert replies_of(board, Action("ann", "k1", 5)) == [COLD]
    assert board.dump() == {}


@pytest.mark.parametrize("field", ["settings", "version", "clock"])
def test_a_board_whose_meta_hash_lost_a_field_is_cold(board: Board, field: str) -> None:
    board.redis.hdel(board.keys.meta, field)
    before = board.dump()
    assert replies_of(board, Action("ann", "k1", 5)) == [COLD]
    assert board.dump() == before


def test_a_call_prepared_under_other_settings_learns_the_right_ones(board: Board) -> None:
    text = BoardSettings(rate=Rate(3, 1.5)).to_text()
    board.redis.hset(board.keys.meta, "settings", text)
    before = board.dump()
    assert replies_of(board, Action("ann", "k1", 5)) == [SETTINGS, text.encode()]
    assert board.dump() == before
    assert replies_of(board, Action("ann", "k1", 5), settings=text)[0].startswith(b"A 5 1 ")


def test_a_full_backlog_takes_nothing_not_even_a_duplicate(board: Board) -> None:
    actions = [Action("ann", f"k{i}", 1) for i in range(4)]
    board.submit(*actions[:3], backlog=3)
    before = board.dump()
    assert replies_of(board, actions[3], backlog=3) == [BACKLOG]
    assert replies_of(board, actions[0], backlog=3) == [BACKLOG]
    assert board.dump() == before
    board.redis.xtrim(board.keys.events, maxlen=2, approximate=False)
    assert replies_of(board, actions[3], backlog=3)[0].startswith(b"A 4 1 ")


# Errors ------------------------------------------------------------------------------------------


def test_a_redis_out_of_memory_takes_nothing_and_goes_on_when_there_is_room(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    before = board.dump()
    board.redis.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(OutOfMemoryError):
            board.submit(*(Action("ann", f"m{i}", 5) for i in range(100)))
        with pytest.raises(OutOfMemoryError):
            board.submit(Action("bob", "k1", 5, verdict=PHONE), **RATE)
        assert board.dump() == before
    finally:
        board.redis.config_set("maxmemory", "0")
    assert board.submit(Action("ann", "k2", 5))[0].startswith("A 10 1 ")


def plant_hash(redis: Redis, key: Any) -> None:
    redis.delete(key)
    redis.hset(key, "wrong", "type")


def plant_text(redis: Redis, key: Any) -> None:
    redis.set(key, "wrong type")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda keys: keys.board,
        lambda keys: keys.hidden,
        lambda keys: keys.events,
        lambda keys: keys.rate(b"last"),
    ],
    ids=["board", "hidden", "events", "rate"],
)
@pytest.mark.parametrize("plant", [plant_hash, plant_text])
def test_a_key_of_the_wrong_type_fails_the_call_and_nothing_is_half_written(
    board: Board, wrong: Callable[[Any], Any], plant: Callable[[Redis, Any], None]
) -> None:
    board.submit(Action("first", "k0", 5))
    board.redis.zadd(board.keys.hidden, {"aside": 5.25})
    board.make_live(hidden="1")
    plant(board.redis, wrong(board.keys))
    before = board.dump()
    board.published()
    actions = [Action("first", "k1", 5, verdict=PHONE), Action("last", "k1", 5, verdict=Verdict())]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        board.submit(*actions, **RATE)
    assert board.dump() == before
    assert board.published() == []


def test_a_meta_key_of_the_wrong_type_fails_the_call(board: Board) -> None:
    plant_text(board.redis, board.keys.meta)
    before = board.dump()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        board.submit(Action())
    assert board.dump() == before


@pytest.mark.parametrize("plant", [plant_hash, lambda redis, key: redis.lpush(key, "wrong")])
def test_receipts_and_memories_of_the_wrong_type_are_replaced_so_that_the_action_counts_once(
    board: Board, plant: Callable[[Redis, Any], None]
) -> None:
    action = Action("ann", "k1", 5, verdict=PHONE)
    for key in (
        board.receipt_key(action),
        board.keys.profile(b"ann"),
        board.keys.device(b"phone"),
    ):
        plant(board.redis, key)
    (reply,) = board.submit(action)
    assert reply.startswith("A 5 1 ")
    assert board.submit(action) == [reply]
    assert board.submit(Action("ann", "k1", 5))[0].startswith("D 5 ")
    assert board.redis.get(board.keys.profile(b"ann")) == b"1:profile"
    assert board.totals() == {"ann": 5}


@pytest.mark.parametrize("points", ["", "five", "1.5", "nan", "inf", "-inf", "0x", "1e999"])
def test_points_that_are_no_integer_fail_the_call_before_its_first_action(
    board: Board, points: str
) -> None:
    call = board.call(Action("ann", "k1", 5), Action("bob", "k1", 5))
    call.args[-3] = points.encode()
    before = board.dump()
    with pytest.raises(ResponseError, match="points"):
        board.run(call)
    assert board.dump() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "x"},
        {"window": 0},
        {"window": -1},
        {"window": "1.5"},
        {"window": 2**63},
        {"memory": "x"},
        {"memory": 0},
        {"idle": "x"},
        {"idle": -1},
        {"backlog": "x"},
        {"min": ""},
        {"max": ""},
        {"rate": "x"},
        {"rate": 2, "rate_ms": "x"},
        {"rate": 2, "rate_ms": 0},
        {"count": 2},
        {"count": "x"},
        {"count": 0},
    ],
    ids=str,
)
def test_a_fixed_argument_that_makes_no_sense_fails_the_call(
    board: Board, wrong: dict[str, Any]
) -> None:
    call = board.call(Action("ann", "k1", 5, verdict=PHONE), **({"rate": 1} | RATE))
    for name, value in wrong.items():
        call.args[submit_scores.args.index(f"arg_{name}")] = str(value).encode()
    before = board.dump()
    with pytest.raises(ResponseError, match="submit_scores"):
        board.run(call)
    assert board.dump() == before


# Idle expiry -------------------------------------------------------------------------------------


def expiries(board: Board) -> list[int]:
    return [board.expiry(key) for key in (board.keys.board, board.keys.hidden, board.keys.meta)]


def test_board_hidden_and_meta_expire_at_one_instant(board: Board) -> None:
    idle = 1_000_000
    board.redis.zadd(board.keys.hidden, {"bob": 5.25})
    board.make_live(hidden="1")
    before = board.now_ms()
    board.submit(Action("ann", "k1", 5), idle=idle)
    at = expiries(board)
    assert len(set(at)) == 1
    assert before + idle <= at[0] <= board.now_ms() + idle
    assert board.meta()["expires"] == str(at[0])


def test_the_expiry_moves_on_when_a_sixteenth_of_the_idle_time_is_over(board: Board) -> None:
    idle = 16_000_000
    board.submit(*(Action(f"u{i}", "k1", 5) for i in range(10)), idle=idle)
    first = expiries(board)[0]
    board.submit(Action("u1", "k2", 5), idle=idle)
    assert expiries(board)[0] == first
    earlier = str(first - 1_000_001)
    board.redis.hset(board.keys.meta, "expires", earlier)
    for key in (board.keys.board, board.keys.meta):
        board.redis.pexpireat(key, earlier)
    board.submit(Action("u1", "k3", 5), idle=idle)
    at = expiries(board)
    assert at[0] == at[2] >= first


def test_a_board_without_idle_time_never_expires(board: Board) -> None:
    board.submit(Action("ann", "k1", 5), idle=0)
    assert expiries(board)[::2] == [-1, -1]


def test_an_expired_board_is_cold(board: Board) -> None:
    board.submit(Action("ann", "k1", 5), idle=1_000_000)
    for key in (board.keys.board, board.keys.meta):
        board.redis.pexpireat(key, 1)
    assert replies_of(board, Action("ann", "k2", 5)) == [COLD]


def test_the_expiry_stays_at_one_instant_when_the_zset_is_made_anew(board: Board) -> None:
    """A board whose only users are hidden has no zset until someone else scores."""
    board.redis.zadd(board.keys.hidden, {"bob": 5.25})
    board.make_live(hidden="1")
    board.submit(Action("bob", "k1", 5), idle=1_000_000)
    board.submit(Action("ann", "k1", 5), idle=1_000_000)
    assert len(set(expiries(board))) == 1
