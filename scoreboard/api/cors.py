"""Pages of other sites that may call the API, by the CORS protocol of the Fetch standard. Tokens go
in a header and never in cookies, so a page can do no more than whoever gave it a token."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from aiohttp import web
from aiohttp.typedefs import Handler

from scoreboard.errors import Forbidden

ALLOWED_HEADERS = "Authorization, Content-Type, If-None-Match, Prefer"
EXPOSED_HEADERS = "ETag, Location, Preference-Applied, Retry-After, WWW-Authenticate"
MAX_AGE = "7200"  # seconds; browsers take no more


def is_shared(path: str) -> bool:
    """Whether pages of other sites may ask for the path: for the API but not its administration,
    and for what the service's own pages are made of."""
    return path.startswith(("/api/", "/static/")) and not path.startswith("/api/admin/")


def share(app: web.Application, origins: AbstractSet[str]) -> None:
    """Lets pages of these ``origins`` read what is shared, errors as well."""

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        if not is_shared(request.path):
            return
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin", "")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS

    app.on_response_prepare.append(allow)


def preflight(origins: AbstractSet[str], methods: Iterable[str]) -> Handler:
    """Answers a browser that asks whether a page may send one of the ``methods``."""
    allowed = ", ".join(methods)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Origin") not in origins:
            raise Forbidden(
                "Pages of this Origin may not call the API; SCOREBOARD_ALLOWED_ORIGINS lists those "
                "that may."
            )
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": allowed,
                "Access-Control-Allow-Headers": ALLOWED_HEADERS,
                "Access-Control-Max-Age": MAX_AGE,
            },
        )

    return answer
