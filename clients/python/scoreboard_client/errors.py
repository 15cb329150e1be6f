"""What goes wrong, as two kinds of errors: those that last and those that pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Not answers to an action but signs that the address is not that of the API.
_OF_THE_ADDRESS = {"not_found", "method_not_allowed", "misdirected_request"}
_PASSING = {401, 408, 425, 429}
LONGEST_ASKED = 3_600.0  # seconds: whoever asks for more is asked again then


class ScoreboardError(Exception):
    """``code`` is the stable word of the service's problem document, or one of this client's own:
    ``no_answer``, ``bad_answer``, ``no_token``, ``closed``. ``status`` is the HTTP status, if there
    was one; ``retry_after`` seconds are asked for before the next attempt; ``problem`` is the whole
    document."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        retry_after: float = 0.0,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after = bounded(retry_after)
        self.problem = problem or {}


class Refused(ScoreboardError):
    """The service has decided: the same call again gets the same answer."""


class TryLater(ScoreboardError):
    """No answer, or none that decides anything: the same call again may succeed."""


def no_answer(detail: str) -> TryLater:
    """The connection failed, broke, or was silent for too long."""
    return TryLater("no_answer", detail)


def bad_answer(detail: str, status: int | None = None, retry_after: float = 0.0) -> TryLater:
    """What came was not written by Scoreboard, but perhaps by a proxy before it."""
    return TryLater("bad_answer", detail, status=status, retry_after=retry_after)


def error_of(status: int, document: Any, retry_after: float = 0.0) -> ScoreboardError:
    """The error that an answer with this status and JSON tells of."""
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        return bad_answer(f"HTTP {status}", status, retry_after)
    code = document["code"]
    lasts = 400 <= status < 500 and status not in _PASSING and code not in _OF_THE_ADDRESS
    told = document.get("retryAfter")
    return (Refused if lasts else TryLater)(
        code,
        str(document.get("detail", "")),
        status=status,
        retry_after=told if isinstance(told, int | float) else retry_after,
        problem=document,
    )


def bounded(seconds: float) -> float:
    """What an answer may ask for: 0 for what is none, an hour at most."""
    return float(min(seconds, LONGEST_ASKED)) if seconds > 0 else 0.0
