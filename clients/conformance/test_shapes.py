"""The clients' types are those of the service's description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clients.conformance.shapes import FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_types_are_those_of_the_description(path: Path) -> None:
    write: Callable[[], str] = FILES[path]

    assert path.read_text(encoding="utf-8") == write(), "python -m clients.conformance.shapes"
