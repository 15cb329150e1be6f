"""A rebuild's work in Redis: inspects a board, fills it from the ledger and makes it live."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.ledger import BoardRecord, BoardState, EventId, KeptAction, Player, UserTotal
from scoreboard.domain.stamps import stamp
from scoreboard.domain.tables import occurrence_of
from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import at_owner, reachable, run_script
from scoreboard.redisio.occurrence_tables import read_state, tables_known
from scoreboard.redisio.reverter import receipt_of
from scoreboard.redisio.script_line import pack
from scoreboard.wire import scripts
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import CONSUMER_GROUP, BoardKeys, Keyspace
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.scripts import ScriptCall

MEMBERS = 1_000  # members in one ZADD: about 0.5 ms of Redis's time
DRAFT_TTL_MS = 600_000  # a zset under construction expires this long after its builder's last write

Command = tuple[bytes, ...]

_ASKING: Command = (b"ASKING",)


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
        """Reads the board's state. The tables of a period whose text in Redis can't be read are
        left out."""
        reply = await read_state(self._redis, self._keyspace, board)
        tables: dict[str, bool] = {}
        gone, illegible = list[str](), list[str]()
        needed, unreadable = tables_known(board, reply)
        if needed:
            reply = await read_state(self._redis, self._keyspace, board, needed)
            for table, told in zip(needed, reply[9], strict=True):
                tables[table] = told == 1
                if needed[table] and told == 0:
                    gone.append(f"{self._keyspace.board(table).board}, or a key beside it")
                elif needed[table] and told != 1:
                    illegible.append(told.decode())
        if reply[6] == 1:
            gone.append(f"{self._keyspace.board(board).board}, or a key beside it")
        elif reply[6]:
            illegible.append(reply[6].decode())
        elif unreadable is not None:
            illegible.append(f"{self._keyspace.board(board).meta}, of a period")
        epoch, own, version, event = (part.decode() for part in reply[:4])
        return BoardState(
            epoch,
            live=own == epoch and not gone,
            version=int(version or 0),
            event=EventId(*split_id(event)) if event else None,
            users=reply[4] + reply[5],
            lost=bool(gone or illegible),
            now_ms=int(reply[7]),
            tables=tables,
            damage="; ".join(illegible + gone),
        )

    async def hidden_users(self, table: str) -> list[str]:
        """The users who are hidden in Redis."""
        with reachable():
            key = self._keyspace.board(table).hidden
            users: list[bytes] = await self._redis.execute_command("ZRANGE", key, 0, -1)
        return [user.decode() for user in users]

    async def forget(self, board: str, tables: Iterable[str] = ()) -> None:
        """Makes the board cold: from then on nothing is read from it or written to it. These tables
        of its occurrences are forgotten as well."""
        with reachable():
            for name in (board, *tables):
                await self._redis.delete(self._keyspace.board(name).meta)

    def oldest_receipt(self, state: BoardState) -> EventId:
        """The id of an event whose receipt expired at ``state``; those of earlier events have
        expired. Receipts expire by the clock of Redis, which is not this machine's."""
        return EventId(max(0, state.now_ms - self._window_ms), 0)

    def begin(self, board: str, state: BoardState, *, swap: bool) -> BoardDraft:
        """Begins a draft of the board: with all its users (``swap``), or only with those whose
        latest changes the fenced board lacks. A draft is kept in zsets of its own and changes the
        board only at ``finish``."""
        return BoardDraft(
            self._redis,
            self._keyspace,
            board,
            state,
            swap=swap,
            idle_ms=self._idle_ms,
            window_ms=self._window_ms,
        )


class TableDraft:
    """A table under construction; keeps count of the users it was given."""

    def __init__(self, redis: Redis, keys: BoardKeys, *, swap: bool) -> None:
        self._redis = redis
        self._keys = keys
        self._swap = swap
        nonce = secrets.token_hex(8)
        self._load = (keys.load(nonce), keys.load(f"{nonce}:hidden"))
        self._load_players = keys.load(f"{nonce}:players")
        self._counts = [0, 0]  # shown, hidden
        self._players = 0
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

    async def add_players(self, players: Sequence[Player]) -> None:
        """Writes into the draft who is in, with how many actions. It gets all or none, whether it
        has all users or not."""
        home = self._load_players.encode()
        commands: list[Command] = []
        for at in range(0, len(players), MEMBERS):
            some = players[at : at + MEMBERS]
            pairs = [part for user, count in some for part in (b"%d" % count, user.encode())]
            commands.append((b"ZADD", home, *pairs))
        commands.append((b"PEXPIRE", home, b"%d" % DRAFT_TTL_MS))
        self._players += len(players)
        await self._send(commands)

    def _postponed(self) -> list[Command]:
        """Lets the draft expire later."""
        return [
            (b"PEXPIRE", key.encode(), b"%d" % DRAFT_TTL_MS)
            for key in (*self._load, self._load_players)
        ]

    async def _send(self, commands: Sequence[Command]) -> None:
        """Sends the commands as one pipeline and waits for all replies."""
        if not commands:
            return

        async def send(redis: Redis, asking: bool) -> None:
            sent = [one for each in commands for one in (_ASKING, each)] if asking else commands
            pool = redis.connection_pool
            connection = await pool.get_connection()
            try:
                await connection.send_packed_command([pack(command) for command in sent])
                for _ in sent:
                    await connection.read_response()
            except BaseException:
                await connection.disconnect(nowait=True)  # or its next reply would be one of these
                raise
            finally:
                await pool.release(connection)

        with reachable():
            await at_owner(self._redis, self._keys.meta, send)


class BoardDraft(TableDraft):
    """A board under construction, with the tables of its occurrences."""

    def __init__(
        self,
        redis: Redis,
        keyspace: Keyspace,
        board: str,
        state: BoardState,
        *,
        swap: bool,
        idle_ms: int,
        window_ms: int,
    ) -> None:
        super().__init__(redis, keyspace.board(board), swap=swap)
        self._keyspace = keyspace
        self._board = board
        self._state = state  # as it was when the load began
        self._begun = time.monotonic()
        self._idle_ms = idle_ms
        self._window_ms = window_ms
        self._tables: dict[str, TableDraft] = {}

    def table(self, table: str, *, swap: bool) -> TableDraft:
        """Begins the draft of an occurrence's table, which belongs to this one."""
        draft = TableDraft(self._redis, self._keyspace.board(table), swap=swap)
        self._tables[table] = draft
        return draft

    async def restore_receipts(self, actions: Sequence[KeptAction]) -> None:
        """Writes the receipts of these actions, each for the rest of its dedupe window."""
        # Redis's clock; one that was set back finds events that are still to come.
        now = self._state.now_ms + round((time.monotonic() - self._begun) * 1000)
        commands: list[Command] = []
        for action in actions:
            left = min(action.event.ms + self._window_ms - now, self._window_ms)
            if left > 0:
                name = self._keys.action(action.user_id.encode(), action.action_id.encode())
                commands.append((b"SET", name, receipt_of(action).encode(), b"PX", b"%d" % left))
        # Receipts may outnumber users many times, so writing them must not let the drafts expire.
        for draft in (self, *self._tables.values()):
            commands += draft._postponed()
        await self._send(commands)

    async def finish(
        self,
        record: BoardRecord,
        *,
        version: int,
        event: EventId,
        periods: Mapping[str, KnownPeriod] | None = None,
    ) -> int:
        """Makes the board live and returns its version. ``event`` is the last event that the board
        contains, ``periods`` what it has to know of its periods (None: what it knows). Raises
        Unavailable when Redis restarted or lost something or the board changed meanwhile; the draft
        is then useless."""
        if periods is not None:
            await self._drop_final()
        for table, draft in self._tables.items():
            version = await self._run(self._load_table(table, draft, record, version))
        call = scripts.load_board(
            **self._keys.written,
            **self._draft_arguments(self, record),
            arg_version=version,
            arg_event=str(event),
            arg_clock=max(draft._clock for draft in (self, *self._tables.values())),
            arg_last=str(record.partition_event),
            arg_group=CONSUMER_GROUP,
            arg_idle=self._idle_ms,
            arg_periods="0" if periods is None else "1",
        )
        for draft in self._tables.values():
            keys = draft._keys
            names = (keys.board, keys.hidden, keys.meta, keys.players)
            call.keys.extend(map(str.encode, names))
        for name, known in (periods or {}).items():
            call.args.extend((name.encode(), known.to_text().encode()))
        return await self._run(call)

    def _load_table(
        self, table: str, draft: TableDraft, record: BoardRecord, version: int
    ) -> ScriptCall:
        keys = draft._keys
        period, _, number = (occurrence_of(table) or "").partition(":")
        return scripts.load_table(
            key_board=keys.board,
            key_hidden=keys.hidden,
            key_meta=keys.guard,
            key_table=keys.meta,
            key_channel=keys.channel,
            **self._draft_arguments(draft, record),
            arg_period=period,
            arg_number=number,
            arg_version=version,
        )

    def _draft_arguments(self, draft: TableDraft, record: BoardRecord) -> dict[str, Any]:
        """What both scripts want."""
        load, load_hidden = draft._load
        shown, concealed = draft._counts
        return {
            "key_players": draft._keys.players,
            "key_load": load,
            "key_load_hidden": load_hidden,
            "key_load_players": draft._load_players,
            "arg_board": self._board,
            "arg_epoch": self._state.epoch,
            "arg_found": str(self._state.event or ""),
            "arg_swap": "1" if draft._swap else "0",
            "arg_shown": shown,
            "arg_concealed": concealed,
            "arg_players": draft._players,
            "arg_settings": record.settings,
        }

    async def _run(self, call: ScriptCall) -> int:
        reply = await run_script(self._redis, call)
        if reply[0].startswith(b"!"):
            raise Unavailable("Redis changed while the board was loaded.")
        return int(reply[0])

    async def _drop_final(self) -> None:
        """Unlinks tables that Redis still had and that have become final."""
        gone = self._state.tables.keys() - self._tables.keys()
        names = [
            name
            for table in gone
            for keys in (self._keyspace.board(table),)
            for name in (keys.board, keys.hidden, keys.meta, keys.players)
        ]
        if names:
            with reachable():
                await self._redis.unlink(*names)
