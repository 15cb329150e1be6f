"""A rebuild's work in Redis: inspects a board, fills it from the ledger and makes it live."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from redis.asyncio import Redis

from scoreboard.domain.ledger import BoardRecord, BoardState, EventId, KeptAction, UserTotal
from scoreboard.domain.stamps import stamp
from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import reachable, run_script
from scoreboard.redisio.reverter import receipt_of
from scoreboard.redisio.script_line import pack
from scoreboard.wire import scripts
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import CONSUMER_GROUP, BoardKeys, Keyspace

MEMBERS = 1_000  # members in one ZADD: about 0.5 ms of Redis's time
DRAFT_TTL_MS = 600_000  # a zset under construction expires this long after its builder's last write

Command = tuple[bytes, ...]


class BoardLoader:
    """``board_idle`` and ``dedupe_window`` in seconds. Every method raises Unavailable when Redis
    is away."""

    def __init__(
        self, redis: Redis, *, keyspace: Keyspace, board_idle: float, dedupe_window: float
    ) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._idle_ms = round(board_idle * 1000)
        self._window_ms = round(dedupe_window * 1000)

    async def state(self, board: str) -> BoardState:
        """Reads the board's state."""
        keys = self._keyspace.board(board)
        reply = await run_script(
            self._redis,
            scripts.board_state(key_board=keys.board, key_hidden=keys.hidden, key_meta=keys.meta),
        )
        epoch, own, version, event = (part.decode() for part in reply[:4])
        return BoardState(
            epoch,
            live=own == epoch,
            version=int(version or 0),
            event=EventId(*split_id(event)) if event else None,
            users=reply[4] + reply[5],
        )

    async def hidden_users(self, board: str) -> list[str]:
        """The users who are hidden in Redis."""
        with reachable():
            key = self._keyspace.board(board).hidden
            users: list[bytes] = await self._redis.execute_command("ZRANGE", key, 0, -1)
        return [user.decode() for user in users]

    async def forget(self, board: str) -> None:
        """Makes the board cold: from then on nothing is read from it or written to it."""
        with reachable():
            await self._redis.delete(self._keyspace.board(board).meta)

    def oldest_receipt(self) -> EventId:
        """The id of an event whose receipt expires now; those of earlier events have expired."""
        return EventId(round(time.time() * 1000) - self._window_ms, 0)

    def begin(self, board: str, state: BoardState, *, swap: bool) -> BoardDraft:
        """Begins a draft of the board: with all its users (``swap``), or only with those whose
        latest changes the fenced board lacks. A draft is kept in zsets of its own and changes the
        board only at ``finish``."""
        keys = self._keyspace.board(board)
        return BoardDraft(
            self._redis,
            board,
            keys,
            state,
            swap=swap,
            idle_ms=self._idle_ms,
            window_ms=self._window_ms,
        )


class BoardDraft:
    """A board under construction; keeps count of the users it was given."""

    def __init__(
        self,
        redis: Redis,
        board: str,
        keys: BoardKeys,
        state: BoardState,
        *,
        swap: bool,
        idle_ms: int,
        window_ms: int,
    ) -> None:
        self._redis = redis
        self._board = board
        self._keys = keys
        self._state = state  # as it was when the load began
        self._swap = swap
        self._idle_ms = idle_ms
        self._window_ms = window_ms
        nonce = secrets.token_hex(8)
        self._load = (keys.load(nonce), keys.load(f"{nonce}:hidden"))
        self._counts = [0, 0]  # shown, hidden
        self._clock = 0

    async def add(self, totals: Sequence[UserTotal]) -> None:
        """Writes these users' totals into the draft."""
        parts: tuple[list[bytes], list[bytes]] = ([], [])
        for user, total, reached_ms, hidden in totals:
            parts[hidden].append(repr(stamp(total, reached_ms)).encode())
            parts[hidden].append(user.encode())
            self._clock = max(self._clock, reached_ms)
        commands: list[Command] = []
        for which, part in enumerate(parts):
            home, other = self._load[which].encode(), self._load[1 - which].encode()
            for at in range(0, len(part), 2 * MEMBERS):
                pairs = part[at : at + 2 * MEMBERS]
                commands.append((b"ZADD", home, *pairs))
                if not self._swap:
                    commands.append((b"ZREM", other, *pairs[1::2]))
            if part:
                commands.append((b"PEXPIRE", home, b"%d" % DRAFT_TTL_MS))
            self._counts[which] += len(part) // 2
        await self._send(commands)

    async def restore_receipts(self, actions: Sequence[KeptAction]) -> None:
        """Writes the receipts of these actions, each for the rest of its dedupe window."""
        now = round(time.time() * 1000)
        commands: list[Command] = []
        for action in actions:
            left = action.event.ms + self._window_ms - now
            if left > 0:
                name = self._keys.action(action.user_id.encode(), action.action_id.encode())
                commands.append((b"SET", name, receipt_of(action).encode(), b"PX", b"%d" % left))
        # Receipts may outnumber users many times, so writing them must not let the draft expire.
        commands += [(b"PEXPIRE", key.encode(), b"%d" % DRAFT_TTL_MS) for key in self._load]
        await self._send(commands)

    async def finish(self, record: BoardRecord, *, version: int, event: EventId) -> int:
        """Makes the board live and returns its version. ``event`` is the last event that the board
        contains. Raises Unavailable when Redis restarted or lost something or the board changed
        meanwhile; the draft is then useless."""
        load, load_hidden = self._load
        shown, concealed = self._counts
        reply = await run_script(
            self._redis,
            scripts.load_board(
                **self._keys.written,
                key_load=load,
                key_load_hidden=load_hidden,
                arg_board=self._board,
                arg_epoch=self._state.epoch,
                arg_found=str(self._state.event or ""),
                arg_swap="1" if self._swap else "0",
                arg_shown=shown,
                arg_concealed=concealed,
                arg_settings=record.settings,
                arg_version=version,
                arg_event=str(event),
                arg_clock=self._clock,
                arg_last=str(record.partition_event),
                arg_group=CONSUMER_GROUP,
                arg_idle=self._idle_ms,
            ),
        )
        if reply[0].startswith(b"!"):
            raise Unavailable("Redis changed while the board was loaded.")
        return int(reply[0])

    async def _send(self, commands: Sequence[Command]) -> None:
        """Sends the commands as one pipeline and waits for all replies."""
        if not commands:
            return
        pool = self._redis.connection_pool
        with reachable():
            connection = await pool.get_connection()
            try:
                await connection.send_packed_command([pack(command) for command in commands])
                for _ in commands:
                    await connection.read_response()
            except BaseException:
                await connection.disconnect(nowait=True)  # or its next reply would be one of these
                raise
            finally:
                await pool.release(connection)
