"""Many cases in one test, which share what is slow to start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def named(case: object) -> Iterator[None]:
    """Has a failure say in which case it was: one that waits in vain has no message of its own."""
    try:
        yield
    except BaseException as failure:  # pytest's own are no Exceptions
        failure.add_note(f"in the case {case!r}")
        raise
