"""The hub, with sockets, Redis and the board behind its Protocols, for orders of events that are
slow to provoke with real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from scoreboard import background
from scoreboard.api.live import hub as hub_module
from scoreboard.api.live.connections import Connection
from scoreboard.api.live.feeds import Feed
from scoreboard.api.live.frames import PING
from scoreboard.api.live.hub import Hub
from scoreboard.api.live.ports import OccurrenceTop
from scoreboard.domain.occurrences import Occurrence
from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.settings import Settings
from scoreboard.wire import messages
from tests.support.waiting import wait_until

# With such a heartbeat no ping comes between what the tests look at.
SETTINGS = Settings(update_interval=0, shutdown_grace=0, write_timeout=600, heartbeat=3600)
MASKED_PONG = b"\x8a\x80\0\0\0\0"


class Transport(asyncio.Transport):
    """A socket whose client reads only while ``reads`` is true, and which answers pings."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.reads = True
        self.waiting = self.sent = b""
        self.received: list[dict[str, object]] = []
        self.times: list[float] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.waiting += bytes(data)
        self.sent += bytes(data)
        if self.reads:
            self.drain()

    def drain(self) -> None:
        sent, self.waiting = self.waiting, b""
        while sent:
            if sent[0] & 0xF == PING:
                asyncio.get_running_loop().call_soon(self.connection.data_received, MASKED_PONG)
            size, start = sent[1], 2
            if size > 125:
                start = 4 if size == 126 else 10
                size = int.from_bytes(sent[2:start], "big")
            payload, sent = sent[start : start + size], sent[start + size :]
            if payload.startswith(b"{"):
                self.received.append(msgspec.json.decode(payload))
                self.times.append(asyncio.get_running_loop().time())

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def abort(self) -> None:
        self.aborted = True

    @property
    def versions(self) -> list[object]:
        return [message["version"] for message in self.received]


class Redis:
    """Reader and source in one: what was published, what is subscribed to, what can be read."""

    def __init__(self) -> None:
        self.version = 1
        self.occurrence = 1
        self.calls: list[str] = []
        self.fails: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.publish: Callable[[str, bytes], None]
        self.reconnect: Callable[[str], None]

    async def top(self, board: str, *, watched: bool) -> tuple[int, bytes]:
        self.calls.append(f"read {board}")
        version = self.version
        await self.may_answer.wait()
        if self.fails:
            raise self.fails
        return version, b"[]"

    async def latest_top(
        self, board: str, period: str, *, shown: int, watched: bool
    ) -> OccurrenceTop:
        version, top = await self.top(f"{board}:{period}", watched=watched)
        ended = None
        if self.occurrence > 1 and shown not in (0, self.occurrence):
            ended = Occurrence(self.occurrence - 1, 0, 86_400_000)
        return OccurrenceTop(self.occurrence, version, top, ended)

    async def occurrence_top(
        self, board: str, period: str, number: int, *, watched: bool
    ) -> OccurrenceTop:
        version, top = await self.top(f"{board}:{period}:{number}", watched=watched)
        ended = Occurrence(number, 0, 86_400_000) if number < self.occurrence else None
        return OccurrenceTop(number, version, top, ended)

    async def subscribe(self, board: str) -> None:
        self.calls.append(f"subscribe {board}")

    def unsubscribe(self, board: str) -> None:
        self.calls.append(f"unsubscribe {board}")

    async def run(
        self, on_update: Callable[[str, bytes], None], on_resubscribed: Callable[[str], None]
    ) -> None:
        self.publish, self.reconnect = on_update, on_resubscribed
        await asyncio.Event().wait()

    def change(self, board: str = "b") -> None:
        """A new version, told on the board's channel."""
        self.version += 1
        self.publish(board, messages.update(board, self.version, b"[]"))


@pytest.fixture
def redis() -> Redis:
    return Redis()


@asynccontextmanager
async def running(hub: Hub, redis: Redis) -> AsyncIterator[Hub]:
    task = asyncio.create_task(hub.run())
    await wait_until(lambda: hasattr(redis, "publish"), description="the hub runs")
    yield hub
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RETRY", 0.01)
    monkeypatch.setattr(background, "RESTART", 0.01)


@pytest.fixture
async def hub(redis: Redis) -> AsyncIterator[Hub]:
    async with running(Hub(redis, redis, SETTINGS), redis) as hub:
        yield hub


async def joined(hub: Hub, board: str = "b") -> Transport:
    connection = Connection(hub, await hub.open(board), None)
    connection.transport = transport = Transport(connection)
    hub.join(connection, "")
    return transport


async def test_a_board_is_subscribed_to_before_it_is_read(hub: Hub, redis: Redis) -> None:
    await joined(hub)

    assert redis.calls == ["subscribe b", "read b"]


async def test_an_update_that_overtakes_the_answer_to_the_read_is_not_lost(
    hub: Hub, redis: Redis
) -> None:
    redis.may_answer.clear()
    joining = asyncio.create_task(joined(hub))
    await wait_until(lambda: "read b" in redis.calls, description="the board is being read")
    redis.change()
    redis.may_answer.set()

    client = await joining

    assert client.received[0]["type"] == "snapshot"
    assert client.versions == [2]


def refused(hub: Hub) -> Transport:
    connection = Connection(hub, Feed("", now=0.0), None)
    connection.transport = transport = Transport(connection)
    hub.refuse(connection, UnknownBoard("There is no such board."))
    return transport


async def test_of_too_many_who_were_refused_and_stay_the_oldest_are_dropped(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MOST_REFUSED", 3)
    clients = [refused(hub) for _ in range(5)]

    assert [client.aborted for client in clients] == [True, True, False, False, False]


async def test_who_was_refused_takes_nobodys_place(redis: Redis) -> None:
    one_place = msgspec.structs.replace(SETTINGS, max_connections=1)
    async with running(Hub(redis, redis, one_place), redis) as hub:
        for _ in range(3):
            refused(hub)

        assert (await joined(hub)).versions == [1]
        assert (await joined(hub)).versions == []


async def test_clients_that_come_together_share_one_read(hub: Hub, redis: Redis) -> None:
    clients = await asyncio.gather(*(joined(hub) for _ in range(100)))

    assert redis.calls == ["subscribe b", "read b"]
    assert all(client.versions == [1] for client in clients)


async def test_who_leaves_while_a_board_is_opened_does_not_end_the_read_for_others(
    hub: Hub, redis: Redis
) -> None:
    redis.may_answer.clear()
    impatient = asyncio.create_task(hub.open("b"))
    patient = asyncio.create_task(joined(hub))
    await wait_until(lambda: "read b" in redis.calls, description="the board is being read")
    impatient.cancel()
    redis.may_answer.set()

    assert (await patient).versions == [1]


async def test_an_unknown_board_is_unsubscribed_and_asked_for_again_next_time(
    hub: Hub, redis: Redis
) -> None:
    redis.fails = UnknownBoard("none")
    with pytest.raises(UnknownBoard):
        await hub.open("b")
    assert redis.calls[-1] == "unsubscribe b"

    redis.fails = None
    assert (await joined(hub)).versions == [1]


async def test_versions_only_grow(hub: Hub, redis: Redis) -> None:
    client = await joined(hub)
    redis.change()
    await wait_until(lambda: len(client.received) == 2, description="version 2")
    for version in (1, 2):
        redis.publish("b", messages.update("b", version, b"[]"))
    redis.change()
    await wait_until(lambda: 3 in client.versions, description="version 3")

    assert client.versions == [1, 2, 3]
    assert [message["type"] for message in client.received] == ["snapshot", "update", "update"]


async def test_an_unreadable_update_is_logged_and_the_next_one_delivered(
    hub: Hub, redis: Redis
) -> None:
    client = await joined(hub)
    with capture_logs() as logs:
        redis.publish("b", b"not json")
    redis.change()
    await wait_until(lambda: 2 in client.versions, description="version 2")

    assert [entry["event"] for entry in logs] == ["update_unreadable"]


async def test_updates_are_spaced_and_the_newest_wins(redis: Redis) -> None:
    spaced = Hub(redis, redis, msgspec.structs.replace(SETTINGS, update_interval=0.1))
    async with running(spaced, redis) as hub:
        client = await joined(hub)
        redis.change()
        await wait_until(lambda: 2 in client.versions, description="version 2")
        for _ in range(50):
            redis.change()
        await wait_until(lambda: 52 in client.versions, description="the newest version")

    assert client.versions == [1, 2, 52]
    assert client.times[2] - client.times[1] >= 0.1


async def test_a_stalled_client_holds_one_frame_and_wakes_to_the_newest_version(
    hub: Hub, redis: Redis
) -> None:
    stalled, live = await joined(hub), await joined(hub)
    stalled.reads = False
    redis.change()
    await wait_until(lambda: 2 in live.versions, description="the live client has version 2")
    one_frame = len(stalled.waiting)
    for version in range(3, 8):
        redis.change()
        await wait_until(lambda: version in live.versions, description=f"version {version}")  # noqa: B023
    assert len(stalled.waiting) == one_frame > 0

    stalled.reads = True
    stalled.drain()
    await wait_until(lambda: 7 in stalled.versions, description="the newest")

    assert stalled.versions == [1, 2, 7]
    assert live.versions == [1, 2, 3, 4, 5, 6, 7]


async def test_a_client_that_stays_stalled_is_aborted_after_the_write_timeout(
    redis: Redis,
) -> None:
    hasty = msgspec.structs.replace(SETTINGS, write_timeout=0.2)
    async with running(Hub(redis, redis, hasty), redis) as hub:
        stalled = await joined(hub)
        stalled.reads = False
        start = asyncio.get_running_loop().time()
        with capture_logs() as logs:
            redis.change()
            await wait_until(lambda: stalled.waiting, description="its buffer is in use")
            redis.change()
            await wait_until(lambda: stalled.aborted, description="it is aborted")

    assert asyncio.get_running_loop().time() - start >= hasty.write_timeout
    assert [entry["event"] for entry in logs] == ["client_stalled"]


async def test_a_board_is_read_again_after_a_reconnect(hub: Hub, redis: Redis) -> None:
    client = await joined(hub)
    redis.version = 9  # changed while nobody listened
    redis.reconnect("b")
    await wait_until(lambda: 9 in client.versions, description="the missed version")

    assert client.received[-1]["type"] == "update"


async def test_a_board_is_read_again_every_now_and_then(
    hub: Hub, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "REREAD", 0.05)
    client = await joined(hub)
    redis.version = 5

    await wait_until(lambda: 5 in client.versions, description="the missed version")


async def test_a_failing_read_is_logged_once_and_tried_until_it_works(
    hub: Hub, redis: Redis
) -> None:
    client = await joined(hub)
    redis.fails = Unavailable("away")
    with capture_logs() as logs:
        redis.version = 3
        redis.reconnect("b")
        await wait_until(lambda: len(redis.calls) > 5, description="several attempts")
        redis.fails = None
        await wait_until(lambda: 3 in client.versions, description="the missed version")

    assert [entry["event"] for entry in logs] == ["board_read_failed"]


async def test_a_board_is_left_a_while_after_its_last_client(
    hub: Hub, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(hub, await hub.open("b"), None)
    connection.transport = Transport(connection)
    hub.join(connection, "")
    monkeypatch.setattr(hub_module, "LINGER", 0.05)
    redis.reconnect("b")
    await wait_until(lambda: redis.calls.count("read b") == 2, description="a turn of the hub")
    assert "unsubscribe b" not in redis.calls, "it has a client"

    connection.connection_lost(None)
    await wait_until(lambda: "unsubscribe b" in redis.calls, description="it is left")


async def test_an_error_that_nobody_foresaw_does_not_end_the_relay(redis: Redis) -> None:
    class Failing(Redis):
        runs = 0

        async def run(self, *callbacks: Callable[..., None]) -> None:
            Failing.runs += 1
            if Failing.runs == 1:
                raise ZeroDivisionError
            await super().run(*callbacks)

    source = Failing()
    with capture_logs() as logs:
        async with running(Hub(source, redis, SETTINGS), source) as hub:
            client = await joined(hub)
            source.publish("b", messages.update("b", 2, b"[]"))
            await wait_until(lambda: 2 in client.versions, description="version 2")

    assert [(entry["event"], entry["part"]) for entry in logs] == [("part_failed", "updates")]


async def test_a_large_board_does_not_hold_up_a_small_one(hub: Hub, redis: Redis) -> None:
    crowd = [await joined(hub, "large") for _ in range(2000)]
    alone = await joined(hub, "small")
    redis.change("large")
    redis.change("small")
    await wait_until(lambda: 3 in alone.versions, description="its version", interval=0)

    assert any(2 not in client.versions for client in crowd), "the crowd is not done yet"


async def test_deliveries_are_counted_with_their_bytes_and_with_clients_that_were_not_ready(
    hub: Hub, redis: Redis
) -> None:
    def counted(name: str) -> float:
        return REGISTRY.get_sample_value(f"scoreboard_websocket_{name}_total") or 0.0

    names = ("snapshots", "frames", "held", "bytes")
    before = [counted(name) for name in names]
    ready, slow = await joined(hub), await joined(hub)
    slow.reads = False
    slow.write(b"unread")
    redis.change()
    await wait_until(lambda: counted("held") > before[2], description="one was not ready")
    slow.drain()
    slow.reads = True
    await wait_until(lambda: len(slow.received) == 2, description="it caught up")

    sent = len(ready.sent) + len(slow.sent) - len(b"unread")
    assert [counted(name) - was for name, was in zip(names, before, strict=True)] == [2, 2, 1, sent]


def turn(redis: Redis, *, told: bool = True) -> None:
    """The period's next occurrence begins, as it is told on its channel."""
    ended = messages.closed("b", "week", Occurrence(redis.occurrence, 0, 86_400_000))
    redis.occurrence += 1
    redis.version += 1
    if told:
        redis.publish("b:week", ended)
        change_in(redis, redis.occurrence)


def change_in(redis: Redis, occurrence: int) -> None:
    """A text of an occurrence under the present version."""
    text = messages.period_update("b", "week", occurrence, redis.version, b"[]")
    redis.publish("b:week", text)


def said(client: Transport) -> list[tuple[object, object]]:
    return [(message["type"], message["occurrence"]) for message in client.received]


TURNED = [("snapshot", 1), ("closed", 1), ("snapshot", 2)]


async def test_at_a_turn_clients_get_the_end_and_a_snapshot_of_the_next(
    hub: Hub, redis: Redis
) -> None:
    client = await joined(hub, "b:week")
    turn(redis)
    redis.version += 1
    change_in(redis, 1)  # a latecomer, in what has ended
    redis.version += 1
    await wait_until(lambda: said(client) == TURNED, description="the turn")
    change_in(redis, 2)
    await wait_until(lambda: len(client.received) == 4, description="the next update")

    assert said(client) == [*TURNED, ("update", 2)]
    assert client.received[1]["endsAt"] == "1970-01-02T00:00:00.000Z"


async def test_a_slow_client_is_told_of_the_end_when_it_reads_again(hub: Hub, redis: Redis) -> None:
    client = await joined(hub, "b:week")
    client.reads = False
    redis.version += 1
    change_in(redis, 1)
    await wait_until(lambda: client.waiting, description="it is behind")
    turn(redis)
    redis.version += 1
    change_in(redis, 2)
    client.reads = True
    client.drain()
    await wait_until(lambda: len(client.received) == 4, description="the turn")

    assert said(client) == [("snapshot", 1), ("update", 1), *TURNED[1:]]
    assert client.received[-1]["version"] == redis.version


@pytest.mark.parametrize("afterwards", [True, False], ids=["later text", "reconnect"])
async def test_a_turn_that_nobody_told_is_found_by_reading(
    hub: Hub, redis: Redis, afterwards: bool
) -> None:
    client = await joined(hub, "b:week")
    turn(redis, told=False)
    if afterwards:
        change_in(redis, 2)
    else:
        redis.reconnect("b:week")
    await wait_until(lambda: said(client) == TURNED, description="the turn")


async def test_who_comes_after_a_turn_is_not_told_of_it(hub: Hub, redis: Redis) -> None:
    await joined(hub, "b:week")
    turn(redis)
    late = await joined(hub, "b:week")
    redis.version += 1
    change_in(redis, 2)
    await wait_until(lambda: len(late.received) == 2, description="the update")
    assert said(late) == [("snapshot", 2), ("update", 2)]


async def test_a_period_that_began_anew_is_shown_without_an_end(hub: Hub, redis: Redis) -> None:
    redis.occurrence = 7
    client = await joined(hub, "b:week")
    redis.occurrence, redis.version = 1, 9  # after the board was cleared
    redis.reconnect("b:week")
    await wait_until(lambda: len(client.received) > 1, description="it is read")
    assert said(client) == [("snapshot", 7), ("snapshot", 1)]


async def test_the_heartbeat_of_a_period_names_its_occurrence() -> None:
    redis = Redis()
    hasty = Hub(redis, redis, msgspec.structs.replace(SETTINGS, heartbeat=0.1))
    async with running(hasty, redis) as hub:
        client = await joined(hub, "b:week")
        await wait_until(lambda: len(client.received) > 1, description="a heartbeat")
    assert client.received[1] == {
        "type": "heartbeat",
        "board": "b",
        "version": 1,
        "period": "week",
        "occurrence": 1,
    }
