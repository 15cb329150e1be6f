"""The AsyncAPI 3.0 description of the WebSocket, made from the types of its messages."""

from __future__ import annotations

from typing import Any

import msgspec

from scoreboard import __version__
from scoreboard.domain.boards import BOARD_PATTERN
from scoreboard.domain.periods import PERIOD_PATTERN
from scoreboard.wire.messages import BoardMessage, Closed, Heartbeat
from scoreboard.wire.player_messages import Overtaken, StandingMessage

_ABOUT = """The top of a board (10 unless its rules say otherwise), as it changes. What a
client sends is ignored. Every message is one JSON text with the board's `version`, which grows with
each change and never goes back, not even when the service restarts: a client that has seen a
version may drop every message that is not above it. A slow client skips versions, so it never falls
behind. A heartbeat whose version is above the client's own means that it missed an update and
should connect again.

With `period`, a client follows the latest occurrence of a period. When that has ended, `closed`
comes and then a snapshot of the next one. Who has missed several ends is told of the last. With
`occurrence`, a client stays with that one: `closed` comes at its end, or behind the snapshot when
it has ended, and afterwards nothing but what latecomers and moderators change.

With `user`, up to 50 times, a client also follows these players: `standing` comes behind the first
snapshot and whenever their place, or that of the one above or below, has changed, at most once in
SCOREBOARD_STANDING_INTERVAL seconds, and the newest only; `overtaken` comes when somebody passed
them. These have no `version`. Who may see a player is as for `GET .../users/{user}`; for others,
and for who is not on the board, all is null.

The WebSocket ends with one of these codes; come back after 1012 and 1013, with a pause that grows.

| code | meaning |
|---|---|
| 1012 | the service restarts |
| 1013 | the board can't be read now |
| 4401 | the token has expired |
| 4404 | there is no such board, or period; or the board shows periods only |
| 4429 | too many connections |
"""

_MESSAGES: dict[str, tuple[str, Any]] = {
    "snapshot": ("The top: first of all, and behind closed", BoardMessage),
    "update": ("The top after it changed", BoardMessage),
    "closed": ("The occurrence has ended; a snapshot of the next follows, if any", Closed),
    "standing": ("Where a player stands that the client follows, or null", StandingMessage),
    "overtaken": ("Somebody passed a player that the client follows", Overtaken),
    "heartbeat": ("While nothing changes, every SCOREBOARD_HEARTBEAT seconds", Heartbeat),
}
_TOP = [{"userId": "ada", "score": 15}]
_AT = "2026-11-24T07:01:35.427Z"

_BOARD = {"type": "string", "pattern": f"^{BOARD_PATTERN}$", "description": "default: the default"}
_PERIOD = {"type": "string", "pattern": f"^{PERIOD_PATTERN}$", "description": "one of the board's"}
_TICKET = {"type": "string", "description": "from POST /api/ws-ticket"}
_OCCURRENCE = {
    "type": "string",
    "pattern": "^([1-9][0-9]*|previous)$",
    "description": "one of the period's; default: the latest, and on from there",
}
_USERS = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 128},
    "maxItems": 50,
    "description": "a player to follow; may be repeated",
}
_SUBJECT = {"period": _PERIOD, "occurrence": _OCCURRENCE, "user": _USERS, "ticket": _TICKET}
_CHANNELS = {
    "leaderboard": ("/ws/leaderboard", {"board": _BOARD, **_SUBJECT}),
    "board": ("/ws/boards/{board}", _SUBJECT),
}


def describe_live() -> bytes:
    """The description as JSON."""
    kinds = (BoardMessage, Closed, StandingMessage, Overtaken, Heartbeat)
    found, schemas = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    payload = dict(zip(kinds, found, strict=True))
    messages = {
        name: {
            "name": name,
            "title": name,
            "summary": summary,
            "contentType": "application/json",
            "payload": _narrowed(payload[kind], schemas, name),
            "examples": [{"payload": _example(name)}],
        }
        for name, (summary, kind) in _MESSAGES.items()
    }
    channels, operations = {}, {}
    for channel, (address, query) in _CHANNELS.items():
        channels[channel] = _channel(address, query)
        operations[channel] = {
            "action": "send",
            "summary": "A snapshot, then updates, and heartbeats between them",
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
        }
    return msgspec.json.encode(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Scoreboard, live",
                "version": __version__,
                "description": _ABOUT,
                "license": {"name": "MIT"},
            },
            "defaultContentType": "application/json",
            "channels": channels,
            "operations": operations,
            "components": {"messages": messages, "schemas": schemas},
        }
    )


def _channel(address: str, query: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "address": address,
        "title": address,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _MESSAGES},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": query},
                "bindingVersion": "0.1.0",
            }
        },
    }
    if "{board}" in address:
        described["parameters"] = {"board": {"description": "the board's name"}}
    return described


def _narrowed(schema: dict[str, Any], schemas: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of one message of a type that stands for several."""
    whole = schemas[schema["$ref"].rpartition("/")[2]]
    return {
        **whole,
        "title": name,
        "properties": {**whole["properties"], "type": {"type": "string", "const": name}},
    }


def _example(name: str) -> dict[str, Any]:
    if name == "heartbeat":
        return {"type": name, "board": "global", "version": 3}
    if name == "closed":
        return {
            "type": name,
            "board": "global",
            "period": "week",
            "occurrence": 12,
            "startsAt": "2026-11-16T00:00:00.000Z",
            "endsAt": "2026-11-23T00:00:00.000Z",
            "at": "2026-11-23T00:00:00.008Z",
        }
    if name == "standing":
        return {
            "type": name,
            "board": "global",
            "userId": "bob",
            "score": 12,
            "rank": 2,
            "percentile": 66.67,
            "above": {"userId": "ada", "rank": 1, "gap": 3},
            "below": {"userId": "cy", "rank": 3, "gap": 4},
            "at": _AT,
        }
    if name == "overtaken":
        passer = {"userId": "ada", "gap": 3}
        told = {"by": passer, "others": 0, "rank": 2, "at": _AT}
        return {"type": name, "board": "global", "userId": "bob", **told}
    return {"type": name, "board": "global", "version": 3, "topScores": _TOP, "at": _AT}
