"""The API as a table: what is routed is what is described, so the two can't differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the ``path``, ``query`` or ``header``; ``schema`` is JSON Schema."""

    name: str
    where: str
    schema: Mapping[str, Any]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. ``answers`` maps each status to what it means and the type of its JSON body: a
    msgspec type, "problem", a media type, or None for no body. ``scopes`` are alternatives; empty
    means public."""

    method: str
    path: str
    name: str
    handler: Handler
    summary: str
    answers: Mapping[int, tuple[str, Any]]
    body: Any = None
    parameters: Sequence[Parameter] = field(default_factory=tuple)
    scopes: Sequence[str] = field(default_factory=tuple)
    tag: str = "scores"


def add_routes(app: web.Application, operations: Sequence[Operation]) -> None:
    """Registers the operations; a GET answers HEAD as well."""
    for operation in operations:
        # By itself aiohttp matches no value with a brace in it.
        path = operation.path.replace("}", ":[^/]+}")
        if operation.method == "GET":
            app.router.add_get(path, operation.handler)
        else:
            app.router.add_route(operation.method, path, operation.handler)
