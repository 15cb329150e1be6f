"""The pages for people: the live leaderboard, the review queue, the API's description, and the
files that they load."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass

from aiohttp import ETag, web

from scoreboard import files
from scoreboard.api.operations import Operation, Parameter
from scoreboard.errors import NotFound

# All content comes from this server, nothing is inline, and no text can become markup.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
        "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Files keep their names across releases, so browsers must ask each time; they mostly get a 304.
    "Cache-Control": "no-cache",
}

_TYPES = {".js": "text/javascript", ".woff2": "font/woff2"}  # not in every system's mime.types


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str

    def answer(self, request: web.Request) -> web.Response:
        wanted = request.if_none_match or ()
        known = any(tag.value in (self.etag, "*") for tag in wanted)
        response = web.Response(headers=HEADERS, status=304) if known else self._whole()
        response.etag = ETag(self.etag)
        return response

    def _whole(self) -> web.Response:
        charset = "utf-8" if self.content_type.startswith("text/") else None
        return web.Response(
            body=self.body, content_type=self.content_type, charset=charset, headers=HEADERS
        )


def _load() -> dict[str, _File]:
    pages = {}
    for entry in files.folder("api", "static").iterdir():
        suffix = "." + entry.name.rpartition(".")[2]
        body = entry.read_bytes()
        pages[entry.name] = _File(
            body,
            _TYPES.get(suffix) or mimetypes.guess_type(entry.name)[0] or "application/octet-stream",
            hashlib.sha256(body).hexdigest()[:32],
        )
    return pages


def operations() -> list[Operation]:
    """The pages and their files. All are read once, at the start, so a request never reads the disk
    and can only name one of these files."""
    pages = _load()

    async def board(request: web.Request) -> web.Response:
        return pages["index.html"].answer(request)

    async def docs(request: web.Request) -> web.Response:
        return pages["docs.html"].answer(request)

    async def admin(request: web.Request) -> web.Response:
        return pages["admin.html"].answer(request)

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
        Operation("GET", "/docs", "docs_page", docs, "This description", page, tag="pages"),
        Operation("GET", "/admin", "admin_page", admin, "The review queue", page, tag="pages"),
        Operation(
            "GET", "/static/{name}", "static", static, "The pages' scripts, styles and fonts", file,
            parameters=(name,), tag="pages",
        ),
    ]  # fmt: skip
