"""The files that the package carries beside its code: Lua scripts, SQL, the pages' static files.
They are found in every way of installing, in a checkout too, where ``scoreboard/lua`` is a link."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable


def folder(*path: str) -> Traversable:
    """A folder of the package, by its names from the top."""
    return resources.files("scoreboard").joinpath(*path)


def texts(*path: str, suffix: str) -> dict[str, str]:
    """The texts of a folder's files that end in ``suffix``, by their names without it, sorted."""
    found = sorted(folder(*path).iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(suffix): file.read_text(encoding="utf-8")
        for file in found
        if file.name.endswith(suffix)
    }
