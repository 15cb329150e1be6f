"""The server that is loaded."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec


class Target(msgspec.Struct, frozen=True):
    """``token`` needs the scope score:write (and board:read where reads are not public)."""

    url: str
    token: str

    @property
    def authority(self) -> str:
        """For the Host header."""
        return urlsplit(self.url).netloc

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80
