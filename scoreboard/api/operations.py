"""One entry per call, from which the call is both routed and described, so the two can't differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from scoreboard.api import cors
from scoreboard.api.hosts import called_by
from scoreboard.api.problems import guarded, problem, refusal
from scoreboard.api.route_metrics import UNMATCHED, RouteMetrics
from scoreboard.api.traced import is_traced, traced
from scoreboard.errors import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the ``path``, ``query`` or ``header``; ``schema`` is JSON Schema. Those of a
    path are always ``required``."""

    name: str
    where: str
    schema: Mapping[str, Any]
    description: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. ``answers`` maps each status to what it means and the type of its JSON body: a
    msgspec type, "problem", a media type, or None for no body. A ``body`` may be left out where all
    of its fields may (``body_optional``); ``example`` is one. ``scopes`` are alternatives; empty
    means public."""

    method: str
    path: str
    name: str
    handler: Handler
    summary: str
    answers: Mapping[int, tuple[str, Any]]
    body: Any = None
    body_optional: bool = False
    example: Mapping[str, Any] | None = None
    parameters: Sequence[Parameter] = field(default_factory=tuple)
    scopes: Sequence[str] = field(default_factory=tuple)
    tag: str = "scores"


def add_routes(
    app: web.Application,
    operations: Sequence[Operation],
    hosts: AbstractSet[str] = frozenset(),
    origins: AbstractSet[str] = frozenset(),
    unknown_address: Callable[[web.Request], web.Response | None] = lambda request: None,
    tracer: Tracer | None = None,
) -> None:
    """Registers the operations (a GET also answers HEAD), and a handler for every other request.
    With ``hosts``, only requests for these are answered; pages of other ``origins`` may make those
    that are shared (cors.py). Requests for what there is not get the answer of ``unknown_address``,
    or a problem document where that has none. With a ``tracer`` calls of the API have spans."""

    def add(method: str, path: str, handler: Handler) -> None:
        # By default aiohttp's path parameters match no value with a brace in it.
        pattern = path.replace("}", ":[^/]+}")
        guard = guarded(called_by(hosts, handler), RouteMetrics(method, path))
        if tracer is not None and is_traced(path):
            guard = traced(guard, tracer, path)
        if method == "GET":
            app.router.add_get(pattern, guard, expect_handler=_expect)
        else:
            app.router.add_route(method, pattern, guard, expect_handler=_expect)

    for operation in operations:
        add(operation.method, operation.path, operation.handler)
    if origins:
        cors.share(app, origins)
        for path, methods in _shared(operations).items():
            add("OPTIONS", path, cors.preflight(origins, methods))
    described = list(app.router.resources())

    async def unmatched(request: web.Request) -> web.StreamResponse:
        allowed: set[str] = set()
        for resource in described:
            allowed |= (await resource.resolve(request))[1]
        if not allowed:
            if page := unknown_address(request):
                return page
            raise NotFound("No such resource.")
        methods = sorted(allowed)
        response = problem(MethodNotAllowed(f"Allowed here: {', '.join(methods)}."))
        response.headers["Allow"] = ",".join(methods)
        return response

    rest = _Rest("/")
    app.router.register_resource(rest)
    handler = guarded(called_by(hosts, unmatched), RouteMetrics(*UNMATCHED))
    rest.add_route("*", handler, expect_handler=_expect)


def _shared(operations: Sequence[Operation]) -> dict[str, list[str]]:
    """The methods of each path that pages of other sites may ask for."""
    methods: dict[str, list[str]] = {}
    for operation in operations:
        if cors.is_shared(operation.path):
            methods.setdefault(operation.path, []).append(operation.method)
    return methods


class _Rest(web.PlainResource):
    """Matches every target that no earlier resource matches, even ``*`` or one with line breaks."""

    def _match(self, path: str) -> dict[str, str]:
        return {}


async def _expect(request: web.Request) -> web.Response | None:
    """Refuses what can't be expected; aiohttp calls this before the handler. A sender that waits to
    be asked for its body is asked when the body is read (bodies.py): aiohttp by itself would ask
    before the token is known to be good."""
    if request.version < HttpVersion11 or request.headers["Expect"].lower() == "100-continue":
        return None
    return refusal(HTTPStatus.EXPECTATION_FAILED, "Only 100-continue may be expected.")
