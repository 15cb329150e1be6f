"""The relay over real sockets."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from structlog.testing import capture_logs

from scoreboard.api.live import hub
from scoreboard.api.live.connections import MAX_MESSAGES, Connection
from scoreboard.telemetry import metrics
from scoreboard.wire import messages
from tests.integration.api.live.hub_server import (
    LONG_TOP,
    Start,
    channel_of,
    close_code,
    next_message,
)
from tests.support.named_case import named
from tests.support.waiting import PATIENCE, wait_until


async def test_a_client_gets_a_snapshot_and_then_newer_versions(start: Start) -> None:
    server = await start()
    ws = await server.connect()
    snapshot = await next_message(ws)
    for version in (2, 3, 3, 2, 4):
        await server.publish(version)
    seen = [snapshot["version"]]
    while seen[-1] != 4:
        update = await next_message(ws)
        assert update["type"] == "update"
        seen.append(update["version"])

    assert msgspec.convert(snapshot, messages.BoardMessage).type == "snapshot"
    assert seen == sorted(set(seen)), "versions only grow"


async def test_a_client_sees_only_its_board(start: Start) -> None:
    server = await start()
    by_query = await server.connect("/ws/leaderboard?board=other")
    by_path = await server.connect("/ws/boards/other")
    default = await server.connect()
    assert (await next_message(by_query))["board"] == "other"
    assert (await next_message(by_path))["board"] == "other"
    assert (await next_message(default))["board"] == "global"
    await server.publish(2, board="other")
    await server.publish(7, board="global")

    assert (await next_message(by_query))["version"] == 2
    assert (await next_message(by_path))["version"] == 2
    assert (await next_message(default))["version"] == 7


async def test_an_unknown_board_closes_with_4404(start: Start) -> None:
    server = await start()

    for board in ("unknown", "Not-A-Name", "x" * 65):
        with named(board):
            assert await close_code(await server.connect(f"/ws/boards/{board}")) == 4404


async def test_the_clients_of_a_board_that_is_gone_are_told_4404_at_once(start: Start) -> None:
    server = await start()
    gone, other = await server.connect(), await server.connect("/ws/boards/other")
    for ws in (gone, other):
        assert (await next_message(ws))["type"] == "snapshot"
    del server.boards.versions["global"]
    await server.redis.publish(channel_of("global"), messages.GONE)
    assert await close_code(gone) == 4404
    assert await close_code(await server.connect()) == 4404, "nobody gets its last top"

    await server.redis.publish(channel_of("other"), messages.GONE)
    await server.publish(2, board="other")
    assert (await next_message(other))["version"] == 2, "it is still there, so nobody is told"


async def test_a_board_that_cannot_be_read_closes_with_1013(start: Start) -> None:
    server = await start()
    server.boards.away = True

    assert await close_code(await server.connect()) == 1013


async def test_one_client_too_many_is_closed_with_4429(start: Start) -> None:
    server = await start(max_connections=2)
    first, second = await server.connect(), await server.connect()
    assert await close_code(await server.connect()) == 4429

    await first.close()
    await wait_until(lambda: len(server.hub._connections) == 1, description="its place is free")
    assert (await next_message(await server.connect()))["type"] == "snapshot"
    assert (await next_message(second))["type"] == "snapshot"


async def test_an_idle_board_sends_heartbeats_and_pings_with_its_version(start: Start) -> None:
    server = await start(heartbeat=0.2)
    ws = await server.connect(autoping=False)
    await next_message(ws)
    kinds = []
    while WSMsgType.TEXT not in kinds:
        message = await ws.receive(timeout=PATIENCE)
        kinds.append(message.type)
        await ws.pong()

    # The first visit may come so soon after the board was opened that it is no idle one yet.
    assert kinds in ([WSMsgType.PING, WSMsgType.TEXT], [WSMsgType.PING] * 2 + [WSMsgType.TEXT])
    beat = msgspec.json.decode(message.data, type=messages.Heartbeat)
    assert (beat.board, beat.version) == ("global", 1)


async def test_a_client_that_answers_no_ping_is_aborted(start: Start) -> None:
    server = await start(heartbeat=0.2)
    answering = await server.connect()
    reading = asyncio.create_task(close_code(answering))  # which makes aiohttp answer pings
    with capture_logs() as logs:
        silent = server.raw()
        await wait_until(lambda: logs, description="the silent client is given up")
        await wait_until(lambda: len(server.hub._connections) == 1, description="it is gone")

    assert [entry["event"] for entry in logs] == ["client_silent"]
    assert not reading.done()
    reading.cancel()
    silent.close()


async def test_clients_have_time_to_answer_a_relay_that_stood_still(start: Start) -> None:
    server = await start(heartbeat=0.2)
    ws = await server.connect()
    await next_message(ws)
    [connection] = server.hub._connections
    with capture_logs() as logs:
        for _ in range(3):
            await wait_until(lambda: connection.awaits_pong, description="a ping is sent")
            time.sleep(0.5)  # noqa: ASYNC251 (the whole process stops, for longer than a period)
            assert (await next_message(ws))["type"] == "heartbeat"

    assert not logs


@pytest.mark.parametrize(
    ("abuse", "code"),
    [
        (lambda ws: ws.send_str("x" * 1025), 1009),
        (lambda ws: asyncio.gather(*(ws.send_str("hi") for _ in range(MAX_MESSAGES + 1))), 1008),
    ],
)
async def test_a_client_that_talks_too_much_is_closed(
    start: Start, abuse: Callable[[ClientWebSocketResponse], Awaitable[Any]], code: int
) -> None:
    server = await start()
    ws = await server.connect()
    await abuse(ws)

    assert await close_code(ws) == code
    await wait_until(lambda: not server.hub._connections, description="the connection is gone")


# What breaks the rules of RFC 6455, as the first byte and the payload of each frame, and the code
# that the client sees.
BROKEN = [
    ("text that is not UTF-8", [(0x81, b"\xff")], 1007),
    ("a character that does not end with its message", [(0x81, b"\xe2\x82")], 1007),
    ("half of a surrogate pair", [(0x81, b"\xed\xa0\x80")], 1007),
    ("text that is not UTF-8 in the second frame", [(0x01, b"\xe2"), (0x80, b"x")], 1007),
    ("the same with a ping between them", [(0x01, b"\xe2"), (0x89, b""), (0x80, b"x")], 1007),
    ("text that is not UTF-8 before its last frame", [(0x01, b"\xff")], 1007),
    ("a reserved bit", [(0xC1, b"hi")], 1002),
    ("an unknown opcode of a message", [(0x83, b"hi")], 1002),
    ("an unknown opcode of a control frame", [(0x8B, b"")], 1002),
    ("a ping in fragments", [(0x09, b"hi")], 1002),
    ("a ping of 126 bytes", [(0x89, b"x" * 126)], 1002),
    ("a continuation of nothing", [(0x80, b"hi")], 1002),
    ("a continuation of what has ended", [(0x02, b"\xff"), (0x80, b"\xff"), (0x80, b"")], 1002),
    ("a message within another", [(0x01, b"hi"), (0x81, b"hi")], 1002),
    ("a close frame of one byte", [(0x88, b"\x03")], 1002),
    ("a close frame with a code that is none", [(0x88, b"\x03\xed")], 1002),  # 1005
    ("a close frame with a code of no one", [(0x88, b"\x03\xe7")], 1002),  # 999
    ("a close frame whose reason is not UTF-8", [(0x88, b"\x03\xe8\xff")], 1007),
]
UNMASKED = ("a frame without a mask", b"\x81\x02hi", 1002)


def masked(first: int, payload: bytes) -> bytes:
    """A client's frame; its mask changes nothing."""
    size = len(payload)
    return bytes([first, 0x80 | size if size < 126 else 0xFE]) + (
        (size.to_bytes(2, "big") if size >= 126 else b"") + bytes(4) + payload
    )


async def test_a_client_that_breaks_the_protocol_is_told_so_by_the_code_of_the_standard(
    start: Start,
) -> None:
    server = await start()
    ended = metrics.aborted.labels("broke_rules")._value
    cases = [
        (name, b"".join(masked(*frame) for frame in sent), code) for name, sent, code in BROKEN
    ]
    for name, sent, code in [*cases, UNMASKED]:
        before = ended.get()
        with named(name):
            ws = await server.connect()
            ws._writer.transport.write(sent)

            assert await close_code(ws) == code
            assert ended.get() == before + 1
    await wait_until(lambda: not server.hub._connections, description="all of them are gone")


async def test_a_message_in_fragments_is_none_of_the_services_business_when_it_is_valid(
    start: Start,
) -> None:
    server = await start()
    ws = await server.connect(autoping=False)
    await next_message(ws)
    euro = "€".encode()
    for frame in [(0x01, euro[:1]), (0x00, b""), (0x89, b"still?"), (0x80, euro[1:])]:
        ws._writer.transport.write(masked(*frame))
    ws._writer.transport.write(masked(0x02, b"\xff") + masked(0x80, b"\xff"))
    await ws.ping(b"after all of them")
    answers = [await ws.receive(timeout=PATIENCE) for _ in range(2)]

    assert [answer.data for answer in answers] == [b"still?", b"after all of them"]


async def test_a_ping_is_answered_and_a_close_is_echoed(start: Start) -> None:
    server = await start()
    ws = await server.connect(autoping=False)
    await next_message(ws)
    await ws.ping(b"are you there")
    answer = await ws.receive(timeout=PATIENCE)
    await ws.close(code=3999)

    assert (answer.type, answer.data) == (WSMsgType.PONG, b"are you there")
    assert ws.close_code == 3999
    await wait_until(lambda: not server.hub._connections, description="the connection is gone")


async def test_a_stalled_client_holds_up_nobody_and_wakes_to_the_newest(start: Start) -> None:
    server = await start()
    live = await server.connect()
    await next_message(live)
    stalled = server.raw(receive_buffer=4096)
    await wait_until(lambda: len(server.hub._connections) == 2, description="both are there")
    held = server.connection_of(stalled)
    version = 1
    while held.version > version - 20:
        version += 1
        await server.publish(version, top=LONG_TOP)
        assert (await next_message(live))["version"] == version
    assert 0 < held.transport.get_write_buffer_size() <= len(held.feed.frame())

    received = b""
    async with asyncio.timeout(PATIENCE):  # nothing new is published: the hub looks by itself
        while b'"version":%d,' % version not in received:
            received += await asyncio.get_running_loop().sock_recv(stalled, 65_536)

    assert received.count(b'"update"') <= version - 20, "the versions between were skipped"
    stalled.close()


async def test_a_client_that_stays_stalled_is_aborted(start: Start) -> None:
    server = await start(write_timeout=0.3, update_interval=0)
    live = await server.connect()
    await next_message(live)
    stalled = server.raw(receive_buffer=4096)
    await wait_until(lambda: len(server.hub._connections) == 2, description="both are there")
    version = 1
    with capture_logs() as logs:
        while len(server.hub._connections) == 2:
            version += 1
            await server.publish(version, top=LONG_TOP)
            await next_message(live)

    assert [entry["event"] for entry in logs] == ["client_stalled"]
    stalled.close()


async def test_at_shutdown_clients_are_told_to_come_back(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LAST_WORD", PATIENCE)
    server = await start()
    clients = [await server.connect() for _ in range(30)]
    closing = asyncio.create_task(server.hub.close())

    assert [await close_code(ws) for ws in clients] == [1012] * 30
    assert await close_code(await server.connect()) == 1012
    await closing
    await wait_until(lambda: not server.hub._connections, description="nobody is left")


async def test_at_shutdown_nobody_waits_for_a_client_that_does_not_answer(start: Start) -> None:
    server = await start()
    silent = server.raw()
    await wait_until(lambda: server.hub._connections, description="it is there")
    await server.hub.close()

    await wait_until(lambda: not server.hub._connections, description="it was dropped")
    silent.close()


async def test_a_closed_connection_leaves_no_cycle_behind(start: Start) -> None:
    server = await start()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            ws = await server.connect()
            await ws.close()
        await wait_until(lambda: not server.hub._connections, description="all are gone")
        left = [o for o in gc.get_objects() if isinstance(o, Connection)]
    finally:
        gc.enable()

    assert len(left) <= 1  # the last one may still be in a local variable of the event loop
