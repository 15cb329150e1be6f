"""JSON of the API as dataclasses: ``userId`` becomes ``user_id``; unknown members are left out."""

from __future__ import annotations

import dataclasses
import re
import types
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from scoreboard_client.errors import bad_answer

T = TypeVar("T")


def decoded(kind: type[T], told: Any) -> T:
    """``told`` as an instance of the dataclass ``kind``. Raises TryLater ``bad_answer``."""
    try:
        return _converted(kind, told)  # type: ignore[no-any-return]
    except (TypeError, KeyError, AttributeError) as error:
        raise bad_answer(f"the answer is no {kind.__name__}", 200) from error


def _converted(kind: Any, told: Any) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        members = _members(kind)
        return kind(
            **{
                name: _converted(hint, told[member])
                for name, member, hint, needed in members
                if needed or member in told
            }
        )
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return [_converted(item, one) for one in told]
    if get_origin(kind) is dict:
        _, item = get_args(kind)
        return {name: _converted(item, one) for name, one in told.items()}
    if get_origin(kind) in (types.UnionType, Union):
        if told is None:
            return None
        (kind,) = (one for one in get_args(kind) if one is not type(None))
        return _converted(kind, told)
    return told


@cache
def _members(kind: Any) -> list[tuple[str, str, Any, bool]]:
    """Of each field: its name, that of its member, its type, whether the member is always there."""
    hints = get_type_hints(kind)
    return [
        (
            field.name,
            re.sub("_([a-z0-9])", lambda found: found[1].upper(), field.name),
            hints[field.name],
            field.default is field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    ]
