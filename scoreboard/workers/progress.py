"""How those who wait for a long piece of work are told of it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int], None]  # called with the number of users done since its last call
