"""Numbers of things, in words for people."""

from __future__ import annotations


def quantity(number: int, thing: str, form: str = "") -> str:
    """``1 user``, ``2 users``. ``form`` is Python's format of the number, such as ``,``."""
    return f"{number:{form}} {thing}{'' if number == 1 else 's'}"
