"""JSON that is nested deeper than it can be decoded. No body of the API goes down more than a few
levels, so what is deeper than these can only be an error, and is put right as one."""

from __future__ import annotations

import re

MAX_DEPTH = 32
MAX_PRUNED = 128 * 1024  # bytes; a thousand actions as they usually are have fewer

# A text (skipped, for the brackets in it), or a run of brackets of one kind.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]+|[\]}]+', re.DOTALL)


def pruned(body: bytes) -> bytes | None:
    """``body`` with a null for each array and object that is more than MAX_DEPTH levels deep. So of
    many actions only the one at fault fails. None for a body of more than MAX_PRUNED bytes."""
    if len(body) > MAX_PRUNED:
        return None
    kept: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(body):
        first, length = body[token.start()], token.end() - token.start()
        if first in b"[{":
            if depth <= MAX_DEPTH < depth + length:
                kept += (body[start : token.start() + MAX_DEPTH - depth], b"null")
            depth += length
        elif first in b"]}":
            if depth - length <= MAX_DEPTH < depth:
                start = token.start() + depth - MAX_DEPTH
            depth -= length
    if depth <= MAX_DEPTH:
        kept.append(body[start:])
    return b"".join(kept)
