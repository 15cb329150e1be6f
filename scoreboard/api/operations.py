"""One entry per call, from which the call is both routed and described, so the two can't differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from scoreboard.api.problems import guarded, problem, unforeseen
from scoreboard.errors import MethodNotAllowed, NotFound


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
    """Registers the operations (a GET also answers HEAD), and a handler for every other request."""
    for operation in operations:
        # By default aiohttp's path parameters match no value with a brace in it.
        path = operation.path.replace("}", ":[^/]+}")
        handler = guarded(operation.handler)
        if operation.method == "GET":
            app.router.add_get(path, handler, expect_handler=_expect)
        else:
            app.router.add_route(operation.method, path, handler, expect_handler=_expect)
    described = list(app.router.resources())

    async def unmatched(request: web.Request) -> web.StreamResponse:
        allowed: set[str] = set()
        for resource in described:
            allowed |= (await resource.resolve(request))[1]
        if not allowed:
            raise NotFound("No such resource.")
        response = problem(MethodNotAllowed("Method Not Allowed"))
        response.headers["Allow"] = ",".join(sorted(allowed))
        return response

    rest = _Rest("/")
    app.router.register_resource(rest)
    rest.add_route("*", guarded(unmatched), expect_handler=_expect)


class _Rest(web.PlainResource):
    """Matches every target that no earlier resource matches, even ``*`` or one with line breaks."""

    def _match(self, path: str) -> dict[str, str]:
        return {}


async def _expect(request: web.Request) -> web.Response | None:
    """Answers the ``Expect`` header; aiohttp calls this before the handler."""
    if request.version < HttpVersion11:
        return None
    if request.headers["Expect"].lower() != "100-continue":
        return unforeseen(web.HTTPExpectationFailed(text="Only 100-continue may be expected."))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # or aiohttp thinks that the answer has begun
    return None
