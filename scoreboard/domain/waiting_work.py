"""What waits in Postgres for the jobs of the persister."""

from __future__ import annotations

from typing import Literal, NamedTuple

Job = Literal["periods", "ranks", "profiles", "erasures", "deliveries", "tops"]


class WaitingWork(NamedTuple):
    """The jobs that have, or may have, something to do, and when (Unix ms) the next occurrence ends
    or can be made final; None: none is open."""

    jobs: frozenset[Job]
    next_end: int | None
