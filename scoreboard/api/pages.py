"""The pages for people: the live leaderboard, its form for streams, a player's own, the
console, the API's description, and the files that they load."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from aiohttp import ETag, web

from scoreboard import files
from scoreboard.api.operations import Operation, Parameter
from scoreboard.errors import NotFound

# All content comes from this server, nothing is inline, and no text can become markup.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# Where players are shown: their avatars come from wherever they keep them.
BOARD_POLICY = _POLICY.replace("img-src 'self'", "img-src 'self' https:")
# Redoc makes markup of the API's description, which is our own text, fills style elements that were
# empty (the hash is that of nothing), colours samples by attributes, and has a font in itself.
DOCS_POLICY = (
    _POLICY.replace(
        "style-src 'self'",
        "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
        "style-src-attr 'unsafe-inline'",
    )
    .replace("font-src 'self'", "font-src 'self' data:")
    .removesuffix("; require-trusted-types-for 'script'")
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Files keep their names across releases, so browsers must ask each time; they mostly get a 304.
    "Cache-Control": "no-cache",
}

# The page makes something of whatever it is given, so these have no other bounds.
_OVERLAY = (
    Parameter("board", "path", {"type": "string"}),
    Parameter("top", "query", {"type": "string"}, "how many are shown; default: 5"),
    Parameter("period", "query", {"type": "string"}, "one of the board's; default: all time"),
    Parameter("theme", "query", {"type": "string"}, "dark or light; default: dark"),
)
_PLAYER = tuple(Parameter(name, "path", {"type": "string"}) for name in ("board", "user"))

DEEPEST = 16  # folders above an unknown address in which its page still finds its styles

_TYPES = {".js": "text/javascript", ".woff2": "font/woff2"}  # not in every system's mime.types


@dataclass(frozen=True, slots=True)
class _File:
    """``body`` is a gzip file when ``packed``, and sent as it is to clients that say they take
    one."""

    body: bytes
    content_type: str
    etag: str
    packed: bool

    def answer(self, request: web.Request) -> web.Response:
        wanted = request.if_none_match or ()
        known = any(tag.value in (self.etag, "*") for tag in wanted)
        response = web.Response(headers=HEADERS, status=304) if known else self._whole(request)
        response.etag = ETag(self.etag, is_weak=self.packed)
        if self.packed:
            response.headers["Vary"] = "Accept-Encoding"
        return response

    def _whole(self, request: web.Request) -> web.Response:
        charset = "utf-8" if self.content_type.startswith("text/") else None
        unpacking = self.packed and not _takes_gzip(request)
        response = web.Response(
            body=_unpacked(self.body) if unpacking else self.body,
            content_type=self.content_type,
            charset=charset,
            headers=HEADERS,
        )
        if self.packed and not unpacking:
            response.headers["Content-Encoding"] = "gzip"
        return response


@cache
def _unpacked(body: bytes) -> bytes:
    """Kept once somebody wants it: unpacking the largest file takes as long as dozens of calls."""
    return gzip.decompress(body)


def _takes_gzip(request: web.Request) -> bool:
    offered = request.headers.get("Accept-Encoding", "").lower().split(",")
    return any(re.fullmatch(r"\s*gzip\s*(;\s*q=(1|0?\.\d*[1-9]).*)?", one) for one in offered)


def _load() -> dict[str, _File]:
    pages = {}
    for entry in files.folder("api", "static").iterdir():
        name = entry.name.removesuffix(".gz")
        suffix = "." + name.rpartition(".")[2]
        body = entry.read_bytes()
        pages[name] = _File(
            body,
            _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
            hashlib.sha256(body).hexdigest()[:32],
            packed=name != entry.name,
        )
    return pages


def unknown_address() -> Callable[[web.Request], web.Response | None]:
    """The answer to a browser that asks for an address that there is not: a page; None to whoever
    did not ask for a page."""
    text = files.folder("api", "static").joinpath("missing.html").read_text(encoding="utf-8")
    return partial(_missing, text)


def _missing(text: str, request: web.Request) -> web.Response | None:
    if request.method not in ("GET", "HEAD") or "text/html" not in request.headers.get(
        "Accept", ""
    ):
        return None
    # By its way from here, since a proxy may put all of the service into a folder.
    up = "../" * min(DEEPEST, request.rel_url.raw_path.count("/") - 1)
    return web.Response(
        text=re.sub(r'(?<=href=")', up, text), content_type="text/html", headers=HEADERS, status=404
    )


def operations(provider_origins: Sequence[str] = ()) -> list[Operation]:
    """The pages and their files; the console may also ask the ``provider_origins``, where people
    sign in. All are read once, at the start, so a request never reads the disk and can only name
    one of these files."""
    pages = _load()
    console_policy = _POLICY.replace(
        "connect-src 'self'", " ".join(("connect-src 'self'", *provider_origins))
    )

    def answer(name: str, policy: str, request: web.Request) -> web.Response:
        response = pages[name].answer(request)
        response.headers["Content-Security-Policy"] = policy
        return response

    async def board(request: web.Request) -> web.Response:
        return answer("index.html", BOARD_POLICY, request)

    async def overlay(request: web.Request) -> web.Response:
        return answer("overlay.html", BOARD_POLICY, request)

    async def player(request: web.Request) -> web.Response:
        return answer("player.html", BOARD_POLICY, request)

    async def docs(request: web.Request) -> web.Response:
        return answer("docs.html", DOCS_POLICY, request)

    async def admin(request: web.Request) -> web.Response:
        return answer("admin.html", console_policy, request)

    async def static(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if not (file := pages.get(name)):
            raise NotFound(f"There is no file {name!r}.")
        return file.answer(request)

    unchanged = {304: ("Not changed since the ETag", None)}
    page = {200: ("The page", "text/html"), **unchanged}
    file = {200: ("The file", "*/*"), **unchanged, 404: ("not_found", "problem")}
    name = Parameter("name", "path", {"type": "string"})
    return [
        Operation("GET", "/", "board_page", board, "The live leaderboard", page, tag="pages"),
        Operation(
            "GET", "/overlay/{board}", "overlay_page", overlay,
            "The live leaderboard on nothing, to be laid over a stream", page,
            parameters=_OVERLAY, tag="pages",
        ),
        Operation(
            "GET", "/players/{board}/{user}", "player_page", player,
            "A player of a board: rank, score over time, actions", page,
            parameters=_PLAYER, tag="pages",
        ),
        Operation("GET", "/docs", "docs_page", docs, "This description", page, tag="pages"),
        Operation("GET", "/admin", "admin_page", admin, "The console", page, tag="pages"),
        Operation(
            "GET", "/static/{name}", "static", static, "The pages' scripts, styles and fonts", file,
            parameters=(name,), tag="pages",
        ),
    ]  # fmt: skip
