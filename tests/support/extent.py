"""How much of what takes long is done: all of it with WHOLE=1, as CI sets it, else a part."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

import pytest

T = TypeVar("T")

WHOLE = bool(os.environ.get("WHOLE"))

# On what shows in one more form, at length, what its neighbours show.
further = pytest.mark.skipif(not WHOLE, reason="one more form, at length; WHOLE=1 runs it")


def kept(values: Iterable[T], *first: T) -> list[T | object]:
    """The values of a parameter, of which only the ``first`` are run without WHOLE=1."""
    return [value if value in first else pytest.param(value, marks=further) for value in values]
