"""Reads that go to Redis together: each gets its own answer, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.errors import BoardCold, Unavailable
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio import reads as reading
from scoreboard.redisio.commands import each_server
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.reads import AT_ONCE, JOINED, TOGETHER, Reads
from scoreboard.redisio.reply_protocol import Replies
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import ScriptCall
from tests.support.arena import Arena, opened_arena
from tests.support.frozen import frozen

USERS = 3 * TOGETHER


@pytest.fixture
async def arena(settings: Settings, redis: Redis, pool: Any) -> AsyncIterator[Arena]:
    async with opened_arena(settings, redis, pool) as arena:
        await arena.submit(*[(f"u{number}", "a", number + 1) for number in range(USERS)])
        yield arena


@pytest.fixture
async def reads(settings: Settings) -> AsyncIterator[Reads]:
    reads = Reads(ScriptLines(topology_at(settings.redis_url), timeout=5, most=AT_ONCE))
    yield reads
    await reads.close()


def top_of(board: str) -> ScriptCall:
    keys = Keyspace(8).board(board)
    return scripts.read_top(key_board=keys.board, key_meta=keys.guard, key_table=keys.meta)


async def test_many_reads_take_few_exchanges_and_each_gets_its_own_answer(
    arena: Arena, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveBoards(reads, keyspace=arena.durable.keyspace)
    await live.top(arena.board)  # the scripts are loaded
    await live.standings(arena.board, ["u0"])
    exchanges: list[int] = []
    send = Replies.send

    def counting(line: Replies, command: bytes, replies: int, deadline: float) -> Any:
        exchanges.append(replies)
        return send(line, command, replies, deadline)

    monkeypatch.setattr(Replies, "send", counting)
    users = [f"u{number}" for number in range(USERS)]
    answers = await asyncio.gather(*(live.standings(arena.board, [user]) for user in users))
    for number, (standing,) in enumerate(answers):
        assert standing is not None
        assert (standing.user_id, standing.score) == (f"u{number}", number + 1)
    assert sum(exchanges) == USERS
    assert len(exchanges) <= USERS / TOGETHER + AT_ONCE


async def test_reads_of_one_table_share_calls_and_each_gets_its_own_answer(
    arena: Arena, reads: Reads, redis: Redis
) -> None:
    live = LiveBoards(reads, keyspace=arena.durable.keyspace)
    await asyncio.gather(live.user(arena.board, "u0"), live.around(arena.board, "u0", 0))
    before = await calls_of_scripts(redis)
    users = [f"u{number}" for number in range(USERS)] + ["nobody"]
    arounds, alone = await asyncio.gather(
        asyncio.gather(*(live.around(arena.board, user, 0) for user in users)),
        asyncio.gather(*(live.user(arena.board, user) for user in users)),
    )
    assert (arounds.pop(), alone.pop()) == (None, None)
    for number, (around, standing) in enumerate(zip(arounds, alone, strict=True)):
        assert around is not None
        assert standing is not None
        assert [one.user_id for one in around] == [standing.user_id] == [f"u{number}"]
        assert around[0].rank == standing.rank == USERS - number
    exchanges = 2 * len(users) / TOGETHER + AT_ONCE
    assert await calls_of_scripts(redis) - before <= 2 * len(users) / JOINED + 2 * exchanges


async def calls_of_scripts(redis: Redis) -> int:
    """How many Redis has run so far, on all servers of a cluster."""
    told = [await server.info("commandstats") for server in await each_server(redis)]
    return sum(one["cmdstat_evalsha"]["calls"] for one in told if "cmdstat_evalsha" in one)


async def test_users_of_a_table_that_is_broken_or_cold_take_nothing_from_others(
    arena: Arena, reads: Reads, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "log", SparingLog("test", period=math.inf))
    await redis.set(Keyspace(8).board("broken").guard, "not a hash")
    live = LiveBoards(reads, keyspace=arena.durable.keyspace)
    boards = ["broken", arena.board, "nowhere"] * 3
    with capture_logs() as logged:
        answers = await asyncio.gather(
            *(live.around(board, "u0", 0) for board in boards), return_exceptions=True
        )
    assert [type(answer) for answer in answers] == [Unavailable, list, BoardCold] * 3
    assert [line["event"] for line in logged].count("read_script_failed") <= 1, (
        "as many as read would fill the log"
    )


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_that_fails_or_finds_a_cold_board_takes_nothing_from_the_others(
    arena: Arena, reads: Reads, redis: Redis, place: int
) -> None:
    keys = Keyspace(8).board("broken")
    await redis.set(keys.guard, "not a hash")
    calls = [top_of(arena.board), top_of(arena.board), top_of("nowhere")]
    calls.insert(place, top_of("broken"))
    answers = await asyncio.gather(*map(reads.read, calls), return_exceptions=True)
    broken, cold = answers.pop(place), answers.pop()
    assert type(broken) is Unavailable
    assert str(broken) == "Redis can't read this board."
    assert type(cold) is BoardCold
    for answer in answers:
        assert not isinstance(answer, BaseException)
        assert msgspec.json.decode(answer[1])[0]["userId"] == f"u{USERS - 1}"


async def test_scripts_that_redis_has_forgotten_are_loaded_again(
    arena: Arena, reads: Reads, redis: Redis
) -> None:
    live = LiveBoards(reads, keyspace=arena.durable.keyspace)
    for _ in range(2):
        await redis.script_flush()
        top, described, around = await asyncio.gather(
            live.top(arena.board),
            live.description(arena.board),
            live.around(arena.board, "u0", 1),
        )
        assert top[1]
        assert described.users == USERS
        assert around is not None
        assert [one.user_id for one in around] == ["u1", "u0"]


async def test_a_read_takes_no_task_unless_it_has_to_make_a_connection_or_to_recover(
    arena: Arena, reads: Reads, redis: Redis
) -> None:
    async def tasks_of_a_read() -> list[bool]:
        """Whether what it waits for is a task."""
        reading = asyncio.create_task(reads.read(top_of(arena.board)))
        found: list[bool] = []
        while not found:  # a cluster is asked first which server has the board
            await asyncio.sleep(0)
            queues = list(reads._queues.values())
            found = [isinstance(one, asyncio.Task) for queue in queues for one in queue._sending]
        assert await reading
        return found

    assert await tasks_of_a_read() == [True], "there is no connection yet"
    assert await tasks_of_a_read() == [False]
    await redis.script_flush()
    assert await tasks_of_a_read() == [False], "as long as nothing is known of the trouble"
    assert await tasks_of_a_read() == [False], "the script is there again"


async def test_a_read_whose_connection_is_lost_on_the_way_is_answered(
    arena: Arena, reads: Reads, valkey: Valkey
) -> None:
    await reads.read(top_of(arena.board))
    (lines,) = reads._lines.nodes.all()
    (line,) = lines._idle
    with frozen(valkey):
        waiting = [asyncio.create_task(reads.read(top_of(arena.board))) for _ in range(3)]
        for _ in range(2):  # they ask, they are sent
            await asyncio.sleep(0)
        assert lines._idle == []
        line.drop()
        await asyncio.sleep(0)
    assert len({bytes(answer[1]) for answer in await asyncio.gather(*waiting)}) == 1


async def test_a_read_that_can_not_be_sent_on_a_connection_is_answered(
    arena: Arena, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reads.read(top_of(arena.board))

    def gone(*_: Any, **__: Any) -> None:
        raise RuntimeError("unable to perform operation; the handler is closed")

    with monkeypatch.context() as patch:
        patch.setattr(ScriptLine, "send", gone)
        assert await reads.read(top_of(arena.board))
    (lines,) = reads._lines.nodes.all()
    assert len(lines._idle) == 1, "the line came back"
    assert await reads.read(top_of(arena.board))


async def test_who_stops_waiting_keeps_nobody_from_an_answer(arena: Arena, reads: Reads) -> None:
    given_up = [asyncio.create_task(reads.read(top_of(arena.board))) for _ in range(5)]
    others = [asyncio.create_task(reads.read(top_of(arena.board))) for _ in range(5)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    assert len({bytes(answer[1]) for answer in await asyncio.gather(*others)}) == 1
    assert await reads.read(top_of(arena.board))


async def test_an_exchange_that_is_cancelled_keeps_nobody_behind_it_from_an_answer(
    arena: Arena, reads: Reads
) -> None:
    await reads.read(top_of(arena.board))
    (queue,) = reads._queues.values()
    many = (AT_ONCE + 1) * TOGETHER
    waiting = [asyncio.create_task(reads.read(top_of(arena.board))) for _ in range(many)]
    for _ in range(2):  # they ask, the first reads are on their way
        await asyncio.sleep(0)
    for sending in queue._sending:
        sending.cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    told = [answer for answer in answers if isinstance(answer, BaseException)]
    assert {type(answer) for answer in told} <= {Unavailable}
    assert len(told) <= AT_ONCE * TOGETHER


async def test_who_waits_while_the_service_stops_is_told(
    arena: Arena, reads: Reads, valkey: Valkey
) -> None:
    await reads.read(top_of(arena.board))
    with frozen(valkey):
        waiting = [asyncio.create_task(reads.read(top_of(arena.board))) for _ in range(200)]
        await asyncio.sleep(0)
        await reads.close()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    with pytest.raises(Unavailable):
        await reads.read(top_of(arena.board))
