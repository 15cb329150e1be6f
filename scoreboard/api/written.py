"""How answers are written: as JSON, and with an ETag, of which a repeated read makes a 304."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from aiohttp import web

_encode = msgspec.json.Encoder().encode


def as_json(value: msgspec.Struct) -> web.Response:
    """An answer."""
    return web.Response(body=_encode(value), content_type="application/json")


def for_caller(value: msgspec.Struct, *, status: int = 200, location: str = "") -> web.Response:
    """An answer that is meant for who asked, and is kept by nobody between; ``location`` is where
    what was made is found."""
    headers = {"Cache-Control": "no-store"}
    if location:
        headers["Location"] = location
    return web.Response(
        status=status, body=_encode(value), content_type="application/json", headers=headers
    )


def tagged(request: web.Request, value: msgspec.Struct) -> web.Response:
    """An answer with a digest of it as its ETag, unless the reader has it."""
    body = _encode(value)
    tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    if is_known(request, tag):
        return not_changed(tag)
    headers = {"Content-Type": "application/json", "Cache-Control": "no-cache", "ETag": tag}
    return web.Response(body=body, headers=headers)


def is_known(request: web.Request, tag: str) -> bool:
    """True when the reader has what has this tag."""
    known = request.headers.get("If-None-Match")
    return known is not None and (known == tag or _lists(known, tag))


def not_changed(tag: str) -> web.Response:
    """The answer to a reader who has it."""
    return web.Response(status=304, headers={"Cache-Control": "no-cache", "ETag": tag})


def _lists(header: str, tag: str) -> bool:
    """True when an If-None-Match header names the tag (weak or strong) or is ``*``."""
    names = {name.strip().removeprefix("W/") for name in header.split(",")}
    return tag in names or "*" in names
