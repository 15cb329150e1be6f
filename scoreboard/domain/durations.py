"""Fixed lengths of time as ISO 8601 writes them: ``PT30S``, ``PT1H30M``, ``P1D``, ``P1W``.

Taken are whole numbers of weeks, days (of 24 hours), hours, minutes and seconds, in this order and
each at most once. Years and months are not: they have no fixed length.
"""

from __future__ import annotations

import re

_UNITS = {"W": 604_800, "D": 86_400, "H": 3600, "M": 60, "S": 1}
_parts = re.compile(
    r"P(?=[0-9T])(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?"
)
_calendar_unit = re.compile(r"P[^T]*[YM]")


def seconds_of(text: str) -> int:
    """The seconds of a duration. Raises ValueError, whose text says what is wrong with it."""
    found = _parts.fullmatch(text)
    if found is not None:
        numbers = (int(number or 0) for number in found.groups())
        return sum(
            number * seconds for number, seconds in zip(numbers, _UNITS.values(), strict=True)
        )
    if _calendar_unit.match(text):
        raise ValueError("has years or months, which have no fixed length")
    raise ValueError(
        "is not a duration of whole weeks, days, hours, minutes and seconds, such as P1W, P1DT12H "
        "or PT30S"
    )
