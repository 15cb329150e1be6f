"""What bench/script.py and bench/memory.py share: a server as in production, a board full of users,
and calls of submit_scores prepared beforehand."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hiredis
from redis import Redis

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.stamps import stamp
from scoreboard.domain.submissions import Submission
from scoreboard.domain.tables import occurrence_table
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.script_line import pack
from scoreboard.redisio.script_source import digest, source
from scoreboard.wire.events import format_of
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.scripts import action_arguments, submit_scores
from scoreboard.write_path.plain_calls import body_of
from scripts.load.servers import temporary_folder

DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS
LOADED_MS = 1_750_000_000_000  # when the users already on a board reached their totals
ZADD_ROWS = 5_000

FIRST = KnownPeriod(Occurrence(1, LOADED_MS, 2 * LOADED_MS), 2 * LOADED_MS)

_actions = itertools.count(1)
_attempts = itertools.count(1)


@contextmanager
def running(binary: Path | None) -> Iterator[tuple[Valkey, Any]]:
    """A Valkey (or the redis-server ``binary``) with the append-only file synced every second, and
    a client of it that has the script loaded."""
    with temporary_folder() as folder:
        valkey = Valkey(folder / "valkey", binary=binary)
        valkey.start()
        try:
            with Redis.from_url(valkey.url) as redis:
                redis.script_load(source(submit_scores).decode())
                yield valkey, redis
        finally:
            valkey.stop()


def user_name(number: int) -> str:
    """An id of the length that game servers use."""
    return f"user-{number:08d}"


class FullBoard:
    """A live board with ``users`` users on it, of totals spread over a million."""

    def __init__(
        self, redis: Any, name: str, users: int, settings: BoardSettings | None = None
    ) -> None:
        self.settings = settings or BoardSettings()
        self.name = name
        self.users = users
        self.keys = Keyspace(8).board(name)
        self._random = random.Random(users)
        info = redis.info()
        redis.hset(
            self.keys.meta,
            mapping={
                "epoch": f"{info['run_id']}:{info['master_replid']}",
                "settings": self.settings.to_text(),
                "version": "0",
                "clock": "0",
                "event": "0-0",
                "top": "[]",
                "cut": "-inf",
                **({"players": "1"} if self.settings.counts_players else {}),
            },
        )
        for start in range(0, users, ZADD_ROWS):
            rows = range(start, min(users, start + ZADD_ROWS))
            redis.zadd(
                self.keys.board,
                {user_name(i): stamp(self._random.randrange(10**6), LOADED_MS + i) for i in rows},
            )
            for period in self.settings.periods:
                redis.zadd(
                    _first(name, period.name).board,
                    {user_name(i): stamp(self._random.randrange(10**6), LOADED_MS) for i in rows},
                )
            if self.settings.counts_players:
                redis.zadd(self.keys.players, {user_name(i): 0 for i in rows})

        for period in self.settings.periods:
            redis.hset(self.keys.meta, f"period:{period.name}", FIRST.to_text())
            redis.hset(
                _first(name, period.name).meta, mapping={"version": 0, "top": "[]", "cut": "-inf"}
            )

    def call(self, actions: int) -> bytes:
        """A call with that many new actions of random users, ready to send."""
        numbers = itertools.islice(_actions, actions)
        return submit_call(
            self.keys,
            self.name,
            self.settings,
            [
                ScoreAction(
                    user_name(self._random.randrange(self.users)),
                    f"match-{number // 32}:kill-{number}",
                    self._random.randint(1, 100),
                )
                for number in numbers
            ],
        )


def _first(board: str, period: str) -> BoardKeys:
    return Keyspace(8).board(occurrence_table(board, period, 1))


def submit_call(
    keys: BoardKeys, board: str, settings: BoardSettings, actions: Sequence[ScoreAction]
) -> bytes:
    """A call of submit_scores, ready to send."""
    call = submit_scores(
        **keys.written,
        key_moves=keys.moves,
        arg_board=board,
        arg_settings=settings.to_text(),
        arg_count=len(actions),
        arg_window=DAY_MS,
        arg_idle=MONTH_MS,
        arg_backlog=10**9,
        arg_min=-(2**31),
        arg_max=2**31,
        arg_rate=0,
        arg_rate_ms=0,
        arg_gated=0,
        arg_memory=0,
        arg_totals=settings.totals,
        arg_limits=settings.limits,
        arg_periods=settings.period_flags,
        arg_rewrite=0,
    )
    for action in actions:
        attempt = f"Zk3vQ9sX{next(_attempts):x}"
        user = action.user_id.encode()
        call.keys.append(keys.action(user, action.action_id.encode()))
        body = body_of(
            board, format_of(settings), Submission(action, attempt, LOADED_MS, LOADED_MS)
        )
        points = b"%d" % action.points
        call.args.extend(
            action_arguments(user=user, points=points, attempt=attempt.encode(), body=body)
        )
    for period in settings.periods:
        table = _first(board, period.name)
        names = (table.board, table.hidden, table.meta, table.channel)
        call.keys.extend(map(str.encode, names))
        call.args.extend((period.name.encode(), FIRST.to_text().encode()))
    if settings.limits:
        call.keys.append(keys.players.encode())
    return pack((b"EVALSHA", digest(call.script), b"%d" % len(call.keys), *call.keys, *call.args))


class Line:
    """One plain connection for prepared calls."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()
        self.run([pack((b"AUTH", (parts.password or "").encode()))], 1)

    def close(self) -> None:
        self._socket.close()

    def run(self, calls: list[bytes], in_flight: int) -> None:
        """Sends the calls, that many at a time; raises the first error that is answered."""
        for start in range(0, len(calls), in_flight):
            some = calls[start : start + in_flight]
            self.send(some)
            self.receive(len(some))

    def send(self, calls: Sequence[bytes]) -> None:
        """Sends the calls, whose answers are to be received."""
        self._socket.sendall(b"".join(calls))

    def receive(self, answers: int) -> None:
        """Waits for so many answers; raises the first error among them."""
        for _ in range(answers):
            reply = self._reply()
            if isinstance(reply, Exception):
                raise reply

    def _reply(self) -> Any:
        while (reply := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(1 << 18))
        return reply
