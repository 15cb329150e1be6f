"""File descriptors: a process needs one for each connection that it holds."""

from __future__ import annotations

import resource
from contextlib import suppress

import structlog
from msgspec import structs

from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings

FEWEST = 64  # connections to servers, files, and a few clients

log = structlog.get_logger(__name__)


def raise_limit() -> int | None:
    """Raises the limit of open files from the soft to the hard one, for this process and those that
    it starts. Returns what is in force; None when there is none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return None if soft == resource.RLIM_INFINITY else soft


def check_limit() -> None:
    """Raises ConfigurationError when the limit is too low even for a process without clients."""
    limit = raise_limit()
    if limit is not None and limit < FEWEST:
        raise ConfigurationError(
            f"this process may have {limit} files and connections open and needs {FEWEST} at "
            "least: raise the hard limit (ulimit -Hn, LimitNOFILE)"
        )


def make_room(needed: int, *, remedy: str) -> int | None:
    """Raises the limit, and warns when that does not make room for ``needed`` descriptors. Returns
    the limit in force; None when there is none."""
    limit = raise_limit()
    if limit is not None and limit < needed:
        log.warning(
            "few_file_descriptors",
            limit=limit,
            needed=needed,
            consequence="connections beyond the limit fail",
            remedy=remedy,
        )
    return limit


def fitted(settings: Settings, limit: int | None, *, own: int) -> Settings:
    """``settings`` with no more connections than have room beside the process's ``own``
    descriptors. An accept that fails for want of one would turn newcomers away without a word; at
    its caps, the service makes room or says why not."""
    if limit is None:
        return settings
    room = max(limit - own, 3)
    http = min(settings.max_http_connections, max(room // 3, room - settings.max_connections))
    websockets = min(settings.max_connections, room - http)
    return structs.replace(settings, max_connections=websockets, max_http_connections=http)
