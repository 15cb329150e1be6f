"""A board in a real Redis, and calls of the scripts as the service makes them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import NoScriptError

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.domain.submissions import Submission
from scoreboard.redisio.script_source import digest, lua_files, source
from scoreboard.wire import scripts
from scoreboard.wire.events import FORMAT, Body, Event, decode_event
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.messages import BoardMessage
from scoreboard.wire.scripts import ActionArguments, Script, ScriptCall, VerdictArguments
from scoreboard.write_path.plain_calls import body_of

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


class Board:
    """A live board, and the one client of its Redis."""

    def __init__(
        self, client: Redis, name: str = "arena", settings: BoardSettings | None = None
    ) -> None:
        self.redis: Any = client  # its annotations are those of all of its modes at once
        self.name = name
        self.keys = Keyspace(8).board(name)
        self.settings = (settings or BoardSettings()).to_text()
        self._listener = client.pubsub(ignore_subscribe_messages=True)
        self._listener.subscribe(self.keys.channel)
        self._listener.get_message(timeout=5)
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
        }
        self.redis.hset(self.keys.meta, mapping=fields | meta)

    def plant(self, totals: Mapping[str, int], reached_ms: int = 1_750_000_000_000) -> None:
        """Puts users onto the board, each a millisecond after the one before."""
        stamps = {user: stamp(totals[user], reached_ms + i) for i, user in enumerate(totals)}
        self.redis.zadd(self.keys.board, stamps)

    # Calls ---------------------------------------------------------------------------------------

    def bound(
        self, script: Script[Any], arguments: Mapping[str, Any], **keys: bytes | str
    ) -> ScriptCall:
        """The call with these ARGV, by their names without the prefix, and this board's KEYS;
        ``keys`` are those that a board's names don't tell."""
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
            "rewrite": 0,
        } | changed
        call = self.bound(scripts.submit_scores, fixed)
        for action in actions:
            user = action.user.encode()
            call.keys.append(self.receipt_key(action))
            if fixed["rate"]:
                call.keys.append(self.keys.rate(user))
            points, attempt = b"%d" % action.points, action.attempt.encode()
            call.args.extend(ActionArguments(user, points, attempt, self.body(action)))
            if gated:
                verdict = action.verdict or Verdict()
                device = self.keys.device(verdict.device_id.encode())
                call.keys.extend((self.keys.profile(user), device))
                call.args.extend(
                    VerdictArguments(
                        agents=verdict.refused_by.encode(),
                        profile_revision=verdict.profile_revision.encode(),
                        profile=verdict.profile.encode(),
                        device_revision=verdict.device_revision.encode(),
                        device=verdict.device.encode(),
                    )
                )
        return call

    def body(self, action: Action) -> bytes:
        score_action = ScoreAction(action.user, action.action, action.points)
        return body_of(self.name, Submission(score_action, action.attempt, 0, 0))

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

    def published(self) -> list[bytes]:
        """The messages published since the last look, in order. The server sends a PONG behind
        all that was published before it."""
        self._listener.ping()
        texts: list[bytes] = []
        while True:
            message = self._listener.get_message(timeout=5)
            assert message is not None, "no PONG within 5 s"
            if message["type"] == "pong":
                return texts
            texts.append(message["data"])

    def dump(self) -> dict[bytes, tuple[Any, int]]:
        """Everything in Redis: each key with all that it holds and its moment of expiry."""
        return {
            key: (self._content(key), self.redis.execute_command("PEXPIRETIME", key))
            for key in self.redis.scan_iter(count=1000)
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
        "receipt": "A15,15,t0,1-1," if late else f"V{action.points},15,{action.attempt},",
        "window": WINDOW_MS,
        "body": msgspec.json.encode(body),
    } | changed
    return run_on(board, scripts.revert_action, action, arguments)


def run_on(board: Board, script: Script[Any], action: Action, arguments: dict[str, Any]) -> Any:
    """Runs a script that concerns one action; ``arguments`` by their names without the prefix."""
    return board.run(board.bound(script, arguments, receipt=board.receipt_key(action)))


def decoded(text: bytes) -> BoardMessage:
    """A published text, as a client would decode it."""
    return msgspec.json.decode(text, type=BoardMessage)


def piece(name: str) -> str:
    """The text of lua/<name>.lua, to call its functions alone."""
    return lua_files()[name]
