"""At every await of the write path and the relay an OSError is raised, or whoever waits there is
cancelled. Each time all callers are answered, the next call works, an action is committed, and
nothing is held: no lane, slot, lock, connection, subscription or task."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from scoreboard.api import board_reader
from scoreboard.api.live import feeds, heartbeats, slow_clients
from scoreboard.api.live import hub as hub_module
from scoreboard.api.live.connections import Connection
from scoreboard.domain import standings
from scoreboard.domain.durability import Durability
from scoreboard.errors import Unavailable
from scoreboard.redisio import (
    line_pool,
    live_boards,
    reply_protocol,
    script_line,
    updates,
)
from scoreboard.settings import Settings
from scoreboard.wire import messages
from scoreboard.wire.keys import PartitionKeys
from scoreboard.workers import persister
from scoreboard.write_path import commit_watch, durability_waits, joiner, judged_calls, submitter
from tests.support.every_await import (
    JUDGED,
    LIMITED,
    PLAIN,
    SEASONAL,
    Group,
    new_action,
    no_load_is_under_way,
    some_parts,
    undergo,
)
from tests.support.extent import kept
from tests.support.parts import Parts
from tests.support.waiting import wait_until

_numbers = itertools.count()


class Client(asyncio.Transport):
    """A WebSocket of the relay; it reads only while ``reads`` is true."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = True
        self.unread = 0
        self.received = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += bytes(data)
        self.unread = 0 if self.reads else len(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None: ...


async def posts(parts: Parts) -> None:
    """Posts in more lanes than there are lines, on new connections to a Redis that does not know
    the scripts."""
    for lines in (parts.writing, parts.reading):
        for line in [line for node in lines.nodes.all() for line in node._idle]:
            await line.close()
    await parts.redis.script_flush()
    await asyncio.gather(
        *(parts.submit(PLAIN, new_action("ann")) for _ in range(2)),
        parts.submit(PLAIN, new_action("ann"), durability=Durability.DISK),
        parts.submit(JUDGED, new_action("ann")),
        parts.submit(SEASONAL, new_action("ann")),
    )


async def posts_to_cold_boards(parts: Parts) -> None:
    await parts.redis.delete(parts.keyspace.board(PLAIN).meta)
    await parts.submit(PLAIN, new_action("ann"))


async def is_judged(parts: Parts) -> None:
    """Actions of a user whose memory is lost and of one who has none, on a new connection."""
    for line in [line for node in parts.writing.nodes.all() for line in node._idle]:
        await line.close()
    await parts.redis.delete(parts.keyspace.board(JUDGED).profile(b"ann"))
    await parts.submit(JUDGED, new_action("ann"), new_action(f"new{next(_numbers)}"))


async def waits_for_commits(parts: Parts) -> None:
    """Posts that wait for their commit, a repeated one too, in a process that has not yet
    subscribed to the partition's commits."""
    parts.commits._subscribed.clear()
    keys = PartitionKeys(0)
    for channel in (keys.committed, keys.persisted):
        parts.commit_updates.unsubscribe(channel)
    action = new_action("ann")
    await asyncio.gather(
        parts.submit(PLAIN, action, durability=Durability.POSTGRES),
        parts.submit(PLAIN, new_action("bob"), durability=Durability.POSTGRES),
    )
    await parts.submit(PLAIN, action, durability=Durability.POSTGRES)
    parts.commit_updates.unsubscribe(keys.committed)  # as when a persister names nothing
    await parts.submit(PLAIN, new_action("ann"), durability=Durability.POSTGRES)


async def joins(parts: Parts) -> None:
    """A user joins boards that are cold, and that are live."""
    await no_load_is_under_way(parts)
    for board in (LIMITED, SEASONAL):
        await parts.redis.delete(parts.keyspace.board(board).meta)
        for _ in range(2):
            await parts.joiner.join(board, f"new{next(_numbers)}")


async def meets_what_others_wrote(parts: Parts) -> None:
    """A post to a board whose hash somebody has written into, and a post and a join that find a key
    of another program."""
    await no_load_is_under_way(parts)
    plain, limited = map(parts.keyspace.board, (PLAIN, LIMITED))
    await parts.redis.hset(plain.meta, "watched", "yes")
    await parts.submit(PLAIN, new_action("ann"))

    await parts.redis.hset(plain.meta, "watched", "4000000000000")
    await parts.redis.set(plain.moves, "another program's")
    await parts.joiner.join(LIMITED, f"new{next(_numbers)}")
    await parts.redis.rename(limited.players, f"{limited.players}:aside")
    await parts.redis.set(limited.players, "another program's")
    try:
        with pytest.raises(Unavailable, match="refused"):
            await parts.submit(PLAIN, new_action("ann"))
        with pytest.raises(Unavailable, match="refused"):
            await parts.joiner.join(LIMITED, f"new{next(_numbers)}")
    finally:
        await parts.redis.delete(plain.moves)
        await parts.redis.rename(f"{limited.players}:aside", limited.players)


async def loses_subscriptions(parts: Parts) -> None:
    """The subscribers' connections are lost; they come back, or something is held for good."""
    await parts.redis.client_kill_filter(_type="pubsub")
    await parts.submit(PLAIN, new_action("ann"))


async def reads(parts: Parts) -> None:
    """Reads of a board that is live, of one that is not, and of one that is not soon enough."""
    await no_load_is_under_way(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(board_reader, "PATIENCE", 0.0)
        await parts.redis.delete(parts.keyspace.board(PLAIN).meta)
        await parts.reader.shared_top(PLAIN)
    await parts.redis.delete(parts.keyspace.board(JUDGED).meta)
    for board in (PLAIN, JUDGED):
        await asyncio.gather(
            *(parts.reader.shared_top(board) for _ in range(4)),
            parts.reader.top(board, watched=True),
            parts.reader.standings(board, ["ann", "nobody"]),
            parts.reader.around(board, "ann", 1),
            parts.reader.user(board, "ann"),
            parts.reader.description(board),
            parts.reader.page(board, standings.Place("rank", 1), 10),
        )
        await parts.live.settings(board)


async def watches(parts: Parts) -> None:
    """A client who keeps up and one who does not at first see a change, and leave."""
    fast, slow = clients = [Client(), Client()]
    slow.reads = False
    for client in clients:
        connection = Connection(parts.hub, await parts.hub.open(PLAIN), None)
        connection.transport = client
        parts.hub.join(connection, "")
    feed = parts.hub._feeds[PLAIN]
    try:
        [result], _ = await parts.submit(PLAIN, new_action("ann"))
        score = b'"ann","score":%d' % (result.score or 0)
        await wait_until(lambda: score in fast.received, description="the change is seen")
        assert score not in slow.received
        slow.reads, slow.unread = True, 0
        await wait_until(lambda: score in slow.received, description="and later by the other")
        parts.hub._on_resubscribed(PLAIN)
        await wait_until(lambda: feed.read_at > 0, description="the board is read again")
    finally:
        for connection in tuple(parts.hub._connections):
            connection.connection_lost(None)
        with pytest.MonkeyPatch.context() as patch:
            # Not before, or a feed would be closed that was opened and that nobody has joined yet.
            patch.setattr(hub_module, "LINGER", 0.0)
            await wait_until(lambda: not parts.hub._feeds, description="the feed is closed")


async def watches_a_board_that_goes(parts: Parts) -> None:
    """Somebody watches a board that is deleted."""
    board, client = f"gone{next(_numbers)}", Client()
    await parts.durable.rebuilder.ensure(board, create=True)
    connection = Connection(parts.hub, await parts.hub.open(board), None)
    connection.transport = client
    parts.hub.join(connection, "")
    try:
        await parts.pool.execute("DELETE FROM board WHERE board = $1", board)
        keys = parts.keyspace.board(board)
        await parts.redis.delete(keys.meta)
        await parts.redis.publish(keys.channel, messages.GONE)
        await wait_until(lambda: board not in parts.hub._feeds, description="the feed is closed")
    finally:
        connection.connection_lost(None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hub_module, "LINGER", 0.0)
            await wait_until(lambda: not parts.hub._feeds, description="it is closed in any case")


AT_THE_ENDS = "At the start and the end of a process nobody waits."
IN_A_CLUSTER = "A cluster has tests of its own (test_cluster.py)."
GROUPS = {
    "write path": Group(
        [
            *(submitter, joiner, line_pool, script_line, reply_protocol, judged_calls),
            *(durability_waits, commit_watch, updates),
        ],
        [
            *(posts, posts_to_cold_boards, is_judged, joins, waits_for_commits),
            *(meets_what_others_wrote, loses_subscriptions),
        ],
        {
            ".close:": AT_THE_ENDS,
            ".run: await self._follows": IN_A_CLUSTER,
            ".ask: await self._follows": IN_A_CLUSTER,
            "._follows:": IN_A_CLUSTER,
            "._turn_to:": IN_A_CLUSTER,
            "._send: await self._send_sharded": IN_A_CLUSTER,
            "._send_sharded:": IN_A_CLUSTER,
        },
    ),
    "relay": Group(
        [hub_module, feeds, slow_clients, heartbeats, board_reader, live_boards],
        [reads, watches, watches_a_board_that_goes],
        {
            ".close:": AT_THE_ENDS,
            ".Hub.run:": AT_THE_ENDS,
            ".Hub.dismiss_revoked:": "It is reached between slices of many connections.",
        },
    ),
}


@pytest.mark.parametrize("group", kept(GROUPS, "write path"))
async def test_whatever_goes_wrong_where_callers_are_answered_and_nothing_is_held(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    monkeypatch.setattr(judged_calls, "SLICE", 1)
    monkeypatch.setattr(submitter, "SPACING", 0.1)  # long enough to be waited for
    monkeypatch.setattr(persister, "SPACING", 0.05)
    monkeypatch.setattr(hub_module, "RETRY", 0.01)
    async with some_parts(settings, monkeypatch) as parts:
        assert await undergo(parts, GROUPS[group]) == []
