"""Periods of boards on the command line: ``week cron=0 0 * * 1 zone=Europe/Berlin``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from scoreboard.domain.boards import BoardSettings, SettingsChange, amending
from scoreboard.domain.periods import Period
from scoreboard.errors import ConfigurationError


def period_of(text: str) -> Period:
    """The period of a text. A value goes on until the next word with an equals sign, so it needs no
    quotes; with quotes it is the same. Raises ConfigurationError."""
    try:
        name, *words = shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"--period {text!r} is not NAME KEY=VALUE ...") from error
    values: dict[str, str] = {}
    last = ""
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            if key in values:
                raise ConfigurationError(f"--period {text!r} has {key} twice")
            last, values[key] = key, value
        elif last:
            values[last] += f" {word}"
        else:
            raise ConfigurationError(f"--period {text!r}: {word!r} is not KEY=VALUE")
    try:
        return msgspec.convert({"name": name, **values}, Period, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"--period {text!r}: {error}") from error


def period_text(period: Period) -> str:
    """The text of a period, which ``period_of`` reads."""
    fields = msgspec.to_builtins(period)
    name = fields.pop("name")
    return " ".join([name, *(f"{key}={value}" for key, value in fields.items())])


def amending_periods(given: Any, added: Sequence[Period], dropped: Sequence[str]) -> SettingsChange:
    """Changes the settings in SettingsGiven, adds these periods, or replaces those of their names,
    takes those of the names ``dropped`` away, and keeps the rest; makes a new board where there is
    none. The change raises ConfigurationError for a name that is not there."""

    def change(before: BoardSettings | None) -> BoardSettings:
        periods = {period.name: period for period in (before or BoardSettings()).periods}
        for name in dropped:
            if periods.pop(name, None) is None:
                raise ConfigurationError(f"the board has no period {name!r}")
        periods |= {period.name: period for period in added}
        wanted = structs.replace(given, periods=tuple(periods.values()))
        return amending(wanted, create=True)(before)

    return change
