"""A board in a real Redis, and calls of the scripts as the service makes them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import NoScriptError

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.domain.submissions import Submission
from scoreboard.domain.tables import occurrence_table
from scoreboard.redisio.script_source import digest, lua_files, source
from scoreboard.wire import scripts
from scoreboard.wire.events import FORMAT, Body, Event, decode_event, format_of
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.wire.messages import BoardMessage
from scoreboard.wire.scripts import Script, ScriptCall, action_arguments, verdict_arguments
from scoreboard.write_path.plain_calls import body_of
from tests.support.waiting import PATIENCE

_attempts = itertools.count()

WINDOW_MS = 60_000


@dataclass(frozen=True)
class Verdict:
    """What a gated action brings: the agents that refuse, the revisions that the verdict rests on,
    and the memories to store ('' stores none, a ``device_revision`` of '' means no device)."""

    refused_by: str = ""
    profile_revision: str = "0"
    profile: str = "1:profile"
    device_revision: str = ""
    device: str = ""
    device_id: str = "phone"


@dataclass(frozen=True)
class Action:
    """One action of a call; each has an attempt of its own unless one is given."""

    user: str = "ann"
    action: str = "kill-1"
    points: int = 5
    attempt: str = field(default_factory=lambda: f"t{next(_attempts)}")
    verdict: Verdict | None = None
    late_ms: int | None = None


class Board:
    """A live board, and the one client of its Redis."""

    def __init__(
        self, client: Redis, name: str = "arena", settings: BoardSettings | None = None
    ) -> None:
        self.redis: Any = client  # its annotations are those of all of its modes at once
        self.name = name
        self.keys = Keyspace(8).board(name)
        self.settings = (settings or BoardSettings()).to_text()
        self.rules = settings or BoardSettings()
        self.totals_text = self.rules.totals
        self.counts_players = (settings or BoardSettings()).counts_players
        self.limits_text = (settings or BoardSettings()).limits
        self.named: dict[str, str] = {}  # what calls say of the periods (wire/known_periods.py)
        self._listener = client.pubsub(ignore_subscribe_messages=True)
        self._listener.subscribe(self.keys.channel)
        self._listener.get_message(timeout=PATIENCE)
        self.make_live()

    def close(self) -> None:
        self._listener.close()

    def make_live(self, **meta: str) -> None:
        """Gives the board the meta hash of one that was just loaded empty."""
        info = self.redis.info()
        fields = {
            "epoch": f"{info['run_id']}:{info['master_replid']}",
            "settings": self.settings,
            "version": "0",
            "clock": "0",
            "event": "0-0",
            "top": "[]",
            "cut": "-inf",
            **({"players": "0"} if self.counts_players else {}),
        }
        self.redis.hset(self.keys.meta, mapping=fields | meta)

    def plant(self, totals: Mapping[str, int], reached_ms: int = 1_750_000_000_000) -> None:
        """Puts users onto the board, each a millisecond after the one before."""
        stamps = {user: stamp(totals[user], reached_ms + i) for i, user in enumerate(totals)}
        self.redis.zadd(self.keys.board, stamps)

    def let_in(self, *users: str) -> None:
        """Lets users in who have no action, where the board keeps count of players."""
        if self.counts_players:
            self.redis.zadd(self.keys.players, dict.fromkeys(users, 0))
            self.redis.hset(self.keys.meta, "players", "1")

    # Calls ---------------------------------------------------------------------------------------

    def bound(
        self, script: Script[Any], arguments: Mapping[str, Any], **keys: bytes | str
    ) -> ScriptCall:
        """The call with these ARGV, by their names without the prefix, and this board's KEYS;
        ``keys`` are those that a board's names don't tell."""
        keys = {"table": self.keys.meta, **keys}
        given: dict[str, Any] = {f"arg_{name}": value for name, value in arguments.items()}
        for name in script.keys:
            short = name.removeprefix("key_")
            given[name] = keys[short] if short in keys else getattr(self.keys, short)
        return script(**given)

    def run(self, call: ScriptCall) -> Any:
        script, keys, args = call
        try:
            return self.redis.evalsha(digest(script).decode(), len(keys), *keys, *args)
        except NoScriptError:
            self.redis.script_load(source(script).decode())
            return self.redis.evalsha(digest(script).decode(), len(keys), *keys, *args)

    def submit(self, *actions: Action, **changed: Any) -> list[str]:
        """The replies to these actions in one call; ``changed`` are fixed arguments."""
        return [reply.decode() for reply in self.run(self.call(*actions, **changed))]

    def call(self, *actions: Action, **changed: Any) -> ScriptCall:
        """The call of submit_scores."""
        gated = any(action.verdict for action in actions)
        fixed: dict[str, Any] = {
            "board": self.name,
            "settings": self.settings,
            "count": len(actions),
            "window": WINDOW_MS,
            "idle": 0,
            "backlog": 1_000_000,
            "min": -(2**60),
            "max": 2**60,
            "rate": 0,
            "rate_ms": 0,
            "gated": int(gated),
            "memory": WINDOW_MS,
            "totals": self.totals_text,
            "limits": self.limits_text,
            "periods": self.rules.period_flags,
            "rewrite": 0,
        } | changed
        call = self.bound(scripts.submit_scores, fixed)
        for action in actions:
            user = action.user.encode()
            call.keys.append(self.receipt_key(action))
            if fixed["rate"]:
                call.keys.append(self.keys.rate(user))
            points, attempt = b"%d" % action.points, action.attempt.encode()
            call.args.extend(
                action_arguments(user=user, points=points, attempt=attempt, body=self.body(action))
            )
            if gated:
                verdict = action.verdict or Verdict()
                device = self.keys.device(verdict.device_id.encode())
                call.keys.extend((self.keys.profile(user), device))
                call.args.extend(
                    verdict_arguments(
                        agents=verdict.refused_by.encode(),
                        profile_revision=verdict.profile_revision.encode(),
                        profile=verdict.profile.encode(),
                        device_revision=verdict.device_revision.encode(),
                        device=verdict.device.encode(),
                    )
                )
        if self.rules.periods:
            self._name_occurrences(call, actions)
        elif fixed["limits"]:
            call.keys.append(self.keys.players.encode())
        return call

    def _name_occurrences(self, call: ScriptCall, actions: Sequence[Action]) -> None:
        for period in self.rules.periods:
            named = self.named[period.name]
            number = int(named.split()[0])
            tables = [self.occurrence(period.name, number)]
            if period.grace:
                tables.append(self.occurrence(period.name, number - 1))
            for place, keys in enumerate(tables):
                names = [keys.board, keys.hidden, keys.meta]
                names += [] if place else [keys.channel]
                names += [keys.players] if self.counts_players else []
                call.keys.extend(map(str.encode, names))
            call.args.extend((period.name.encode(), named.encode()))
        if any(period.grace for period in self.rules.periods):
            call.args.extend(
                b"" if action.late_ms is None else b"%d" % action.late_ms for action in actions
            )

    def occurrence(self, period: str, number: int) -> BoardKeys:
        """The names of an occurrence's table."""
        return Keyspace(8).board(occurrence_table(self.name, period, number))

    def knows(self, period: str) -> str | None:
        """What Redis knows of a period."""
        text = self.redis.hget(self.keys.meta, f"period:{period}")
        return None if text is None else text.decode()

    def body(self, action: Action) -> bytes:
        score_action = ScoreAction(action.user, action.action, action.points)
        return body_of(
            self.name, format_of(self.rules), Submission(score_action, action.attempt, 0, 0)
        )

    # What is in Redis ----------------------------------------------------------------------------

    def receipt_key(self, action: Action) -> bytes:
        return self.keys.action(action.user.encode(), action.action.encode())

    def receipt(self, action: Action) -> str | None:
        text = self.redis.get(self.receipt_key(action))
        return None if text is None else text.decode()

    def zset(self, key: str | None = None) -> dict[str, float]:
        """The stamped score of every user, best first."""
        rows = self.redis.zrevrange(key or self.keys.board, 0, -1, withscores=True)
        return {user.decode(): score for user, score in rows}

    def players(self) -> dict[str, int]:
        """Who is in, with how many actions."""
        return {user: int(count) for user, count in self.zset(self.keys.players).items()}

    def totals(self) -> dict[str, int]:
        return {user: total_of(score) for user, score in self.zset().items()}

    def events(self, after: str = "0-0") -> list[Event]:
        """The events with ids above ``after``."""
        entries = self.redis.xrange(self.keys.events, min=f"({after}")
        return [decode_event(event_id, fields) for event_id, fields in entries]

    def meta(self) -> dict[str, str]:
        fields = self.redis.hgetall(self.keys.meta)
        return {name.decode(): value.decode() for name, value in fields.items()}

    def now_ms(self) -> int:
        seconds, micros = self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def expiry(self, key: bytes | str) -> int:
        """When a key expires, Unix ms; -1: never, -2: it is not there."""
        return int(self.redis.execute_command("PEXPIRETIME", key))

    def published(self) -> list[bytes]:
        """The messages published since the last look, in order. The server sends a PONG behind
        all that was published before it."""
        self._listener.ping()
        texts: list[bytes] = []
        while True:
            message = self._listener.get_message(timeout=PATIENCE)
            assert message is not None, "no PONG"
            if message["type"] == "pong":
                return texts
            texts.append(message["data"])

    def dump(self) -> dict[bytes, tuple[Any, int]]:
        """Everything in Redis: each key with all that it holds and its moment of expiry."""
        return {
            key: (self._content(key), self.expiry(key)) for key in self.redis.scan_iter(count=1000)
        }

    def _content(self, key: bytes) -> Any:
        match self.redis.type(key):
            case b"string":
                return self.redis.get(key)
            case b"hash":
                return self.redis.hgetall(key)
            case b"list":
                return self.redis.lrange(key, 0, -1)
            case b"zset":
                return self.redis.zrange(key, 0, -1, withscores=True)
            case b"stream":
                last = self.redis.xinfo_stream(key)["last-generated-id"]
                return self.redis.xrange(key), last
            case other:
                raise AssertionError(f"a key of type {other!r}")


def revert(board: Board, action: Action, event: str, *, late: bool = False, **changed: Any) -> Any:
    """Takes an action's event back; ``changed`` are the script's arguments."""
    body = Body(FORMAT, board.name, action.user, action.action, action.points, "r1", e=event, w="x")
    arguments: dict[str, Any] = {
        "board": board.name,
        "user": action.user,
        "points": action.points,
        "event": event,
        "late": int(late),
        "epoch": "",
        "total": "",
        "reached": "",
        "receipt": "A15,15,t0,1-1," if late else f"V{action.points},15,{action.attempt},",
        "window": WINDOW_MS,
        "body": msgspec.json.encode(body),
    } | changed
    return run_on(board, scripts.revert_action, action, arguments)


def approval(board: Board, action: Action, form: int) -> dict[str, Any]:
    """The arguments of approve_action, with an event of that format."""
    body = Body(form, board.name, action.user, action.action, action.points, action.attempt)
    return {
        "board": board.name,
        "user": action.user,
        "points": action.points,
        "attempt": action.attempt,
        "window": WINDOW_MS,
        "body": msgspec.json.encode(body),
    }


def run_on(board: Board, script: Script[Any], action: Action, arguments: dict[str, Any]) -> Any:
    """Runs a script that concerns one action; ``arguments`` by their names without the prefix."""
    return board.run(board.bound(script, arguments, receipt=board.receipt_key(action)))


def decoded(text: bytes) -> BoardMessage:
    """A published text, as a client would decode it."""
    return msgspec.json.decode(text, type=BoardMessage)


def piece(name: str) -> str:
    """The text of lua/<name>.lua, to call its functions alone."""
    return lua_files()[name]
