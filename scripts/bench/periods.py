"""The periods of the boards that are measured."""

from __future__ import annotations

from scoreboard.domain.periods import Period

PERIODS = tuple(
    Period(name, cron=cron)
    for name, cron in (("day", "0 0 * * *"), ("week", "0 0 * * 1"), ("month", "0 0 1 * *"))
)
