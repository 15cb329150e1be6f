"""The agents' memories as Redis has them: a revision, a colon, and the payload."""

from __future__ import annotations

import re

REVISION = re.compile(rb"([1-9][0-9]{0,14}):")


def payload_of(text: bytes | None) -> bytes | None:
    """The payload; None where there is none, and for a text without a revision, which counts as
    absent."""
    found = None if text is None else REVISION.match(text)
    return None if text is None or found is None else text[found.end() :]
