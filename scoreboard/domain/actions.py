"""Score actions as clients send them: the types are the validation and the API's description."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

# `$(?!\n)` and not `$`: Python's `$` also matches before a final newline.
NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]+$(?!\n)"

MAX_POINTS = 2**31 - 1
MAX_ID = 128  # characters
MAX_BATCH = 1_000

Identifier = Annotated[
    str, Meta(min_length=1, max_length=MAX_ID, pattern=NO_CONTROL_CHARACTERS, examples=["user1"])
]
Points = Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS, examples=[15])]
ShortText = Annotated[str, Meta(min_length=1, max_length=128, pattern=NO_CONTROL_CHARACTERS)]
LongText = Annotated[str, Meta(min_length=1, max_length=512, pattern=NO_CONTROL_CHARACTERS)]
Timestamp = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$(?!\n)",
        examples=["2026-01-31T18:00:00Z"],
    ),
]


class ActionContext(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename="camel",
    forbid_unknown_fields=True,
    gc=False,
):
    """What the anomaly agents may look at; every part is optional."""

    occurred_at: Timestamp | None = None
    ip: Annotated[str, Meta(max_length=45, pattern=r"^[0-9A-Fa-f:.]+$(?!\n)")] | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$(?!\n)", examples=["FR"])] | None = None
    device_id: ShortText | None = None
    user_agent: LongText | None = None
    action_type: ShortText | None = None


class ScoreAction(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, gc=False
):
    """One score action: ``points`` for ``userId``, counted once per ``actionId``."""

    user_id: Identifier
    action_id: Identifier
    points: Points
    context: ActionContext | None = None


class ActionBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 actions. A bad one fails alone."""

    actions: Annotated[list[ScoreAction], Meta(min_length=1, max_length=MAX_BATCH)]


class RawActionBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ActionBatch whose actions are still to be decoded, each by itself."""

    actions: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAX_BATCH)]


class UserList(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whose standings to look up (friends)."""

    user_ids: Annotated[list[Identifier], Meta(min_length=1, max_length=500)]
