"""The one error tree. Each class is an answer that a caller can act on; drivers' errors are
translated into it at the boundary where they arise (``raise X from e``)."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def is_shortage(error: BaseException | None) -> bool:
    """Whether this process lacks descriptors, memory or threads, which may pass."""
    if isinstance(error, OSError):
        return error.errno in _SHORTAGES
    if isinstance(error, RuntimeError):
        return str(error) == "can't start new thread"  # Python has no other mark of it
    return isinstance(error, MemoryError)


class ScoreboardError(Exception):
    """Base of all errors that the service answers with.

    ``code`` is the stable word in the problem document, ``status`` its HTTP status. ``extra`` are
    further members of the document; ``retry_after`` is in seconds and becomes a header;
    ``headers`` are further ones.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        self.extra = extra


def cause_of(error: BaseException) -> str:
    """The cause of an error, for the log: its type and its text, which names the address. A
    driver's own repr may leave these out."""
    cause = error.__cause__
    return "" if cause is None else f"{type(cause).__name__}: {cause}"


class ConfigurationError(ScoreboardError):
    """The service can't start as configured; ``detail`` says what to change."""

    code = "configuration"
    title = "Configuration error"


def installing(extra: str) -> str:
    """The command that adds an extra to the installation that runs. It names this installation's
    Python: another one's pip would ask a package index for whatever is called scoreboard there."""
    return f"{sys.executable} -m pip install 'scoreboard[{extra}]'"


class InvalidRequest(ScoreboardError):
    """Malformed JSON or a field out of its bounds; ``extra['path']`` names the field."""

    code = "invalid_request"
    status = 400
    title = "Invalid request"


class Unauthorized(ScoreboardError):
    """No usable token. The detail never says more than that; ``challenge`` is the value of the
    ``WWW-Authenticate`` header (RFC 6750)."""

    code = "unauthorized"
    status = 401
    title = "Unauthorized"

    def __init__(
        self,
        detail: str = "A valid bearer token is needed.",
        *,
        challenge: str = 'Bearer realm="scoreboard"',
    ) -> None:
        super().__init__(detail)
        self.challenge = challenge


class Forbidden(ScoreboardError):
    """The token is good but its scope, user or boards do not allow the call."""

    code = "forbidden"
    status = 403
    title = "Forbidden"


class NotFound(ScoreboardError):
    """The thing that was asked for does not exist."""

    code = "not_found"
    status = 404
    title = "Not found"


class UnknownBoard(NotFound):
    """There is no board of this name."""

    code = "unknown_board"
    title = "Unknown board"


class UnknownUser(NotFound):
    """The user is not on the board."""

    code = "unknown_user"
    title = "User is not on the board"


class UnknownProfile(NotFound):
    """The user has no profile, or none that the caller may see."""

    code = "unknown_profile"
    title = "No profile"


class PeriodRequired(NotFound):
    """The board shows no table of all time; ``extra['periods']`` names the ones that it has."""

    code = "period_required"
    title = "Period required"


class UnknownPeriod(NotFound):
    """The board has no period of this name."""

    code = "unknown_period"
    title = "Unknown period"


class UnknownOccurrence(NotFound):
    """The period has had no occurrence of this number."""

    code = "unknown_occurrence"
    title = "Unknown occurrence"


class OccurrenceGone(NotFound):
    """The users of this occurrence are no longer kept; the board says for how long they are."""

    code = "occurrence_gone"
    title = "Occurrence gone"


class DetailGone(NotFound):
    """The answer would need single actions that are no longer kept. ``detailFrom`` is the moment
    from which on they are."""

    code = "detail_gone"
    title = "Detail gone"


class MethodNotAllowed(ScoreboardError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class MisdirectedRequest(ScoreboardError):
    """The Host of the request is not one by which the service may be called."""

    code = "misdirected_request"
    status = 421
    title = "Misdirected request"


class RequestTimeout(ScoreboardError):
    """The client took too long to send its request."""

    code = "request_timeout"
    status = 408
    title = "Request timeout"


class BoardHasScores(ScoreboardError):
    """The rule can't change any more, since the board has scores; ``extra['path']`` names it."""

    code = "board_has_scores"
    status = 409
    title = "The board has scores"


class GateIsOn(ScoreboardError):
    """The board's gate would judge what is imported; nothing was written."""

    code = "gate_is_on"
    status = 409
    title = "The gate is on"


class BoardClosed(ScoreboardError):
    """The board takes nothing now; nothing was written."""

    code = "board_closed"
    status = 409
    title = "Board closed"


class BoardFull(ScoreboardError):
    """The board takes no further user; nothing was written."""

    code = "board_full"
    status = 409
    title = "Board full"


class AlreadyDecided(ScoreboardError):
    """The case was decided before; ``extra['decision']`` is the first decision. Or the action
    was taken back before, without a case."""

    code = "already_decided"
    status = 409
    title = "Already decided"


class NotDecidable(ScoreboardError):
    """The case does not allow this decision; the detail says why."""

    code = "not_decidable"
    status = 409
    title = "This decision is not possible"


class ErasureRunning(ScoreboardError):
    """The player is being erased; ``extra['erasure']`` names the job."""

    code = "erasure_running"
    status = 409
    title = "Erasure under way"


class Erased(ScoreboardError):
    """The id is that of a player who was erased; nothing was written."""

    code = "erased"
    status = 410
    title = "Player erased"


class TooManyWebhooks(ScoreboardError):
    """There are as many webhooks as an installation may have."""

    code = "too_many_webhooks"
    status = 409
    title = "Too many webhooks"


class RateLimited(ScoreboardError):
    """The caller posts too fast; nothing was written. Worth repeating after ``retry_after``."""

    code = "rate_limited"
    status = 429
    title = "Rate limited"


class BoardQuotaExceeded(ScoreboardError):
    """The caller opens too many boards; nothing was written, and none was made."""

    code = "board_quota_exceeded"
    status = 429
    title = "Too many new boards"


class ScoreOutOfRange(ScoreboardError):
    """The total would leave +-2^50; nothing was written."""

    code = "score_out_of_range"
    status = 422
    title = "Score out of range"


class PayloadTooLarge(ScoreboardError):
    """The body is larger than the service accepts."""

    code = "payload_too_large"
    status = 413
    title = "Payload too large"


class UnsupportedMediaType(ScoreboardError):
    """The body is not JSON, or in a coding that is not known here."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"


class UpgradeRequired(ScoreboardError):
    """The call needs another protocol, or another version of it, which ``headers`` name."""

    code = "upgrade_required"
    status = 426
    title = "Upgrade required"


class TooManyRequests(ScoreboardError):
    """Too much comes from one address at the same time."""

    code = "too_many_requests"
    status = 429
    title = "Too many requests"


class RetryLater(ScoreboardError):
    """Base of the answers with status 503: the same call is worth repeating after ``retry_after``
    seconds, which they always carry. What the call may have done by then, the subclass says."""

    status = 503

    def __init__(self, detail: str, *, retry_after: float = 1.0, **extra: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **extra)


class Unavailable(RetryLater):
    """A dependency is down, the board is being rebuilt or the backlog is full. Of score actions
    nothing was written; any other call may be half done, and goes on when it is repeated. ``words``
    are for the operator only, in the log or the terminal: they may name users and addresses."""

    code = "unavailable"
    title = "Service unavailable"

    def __init__(
        self, detail: str, *, retry_after: float = 1.0, words: str = "", **extra: Any
    ) -> None:
        super().__init__(detail, retry_after=retry_after, **extra)
        self.words = words


class BoardUnavailable(Unavailable):
    """One board can't be had now; others can."""


class BoardUnreadable(BoardUnavailable):
    """Redis has the board, and something in it is not what the service writes there. Its next load,
    which looks at all of it, sets that right."""


class TooExpensive(RetryLater):
    """The answer takes longer than it may. A narrower question, or an hour with less traffic, may
    get one."""

    code = "too_expensive"
    title = "Too expensive"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after=30.0)


class Misconfigured(Unavailable):
    """A dependency refuses the service as it is set up; ``words`` say what it said and what to
    change. To a caller this is Unavailable; a process that starts ends with it."""


class OutcomeUnknown(RetryLater):
    """The reply of Redis was lost and could not be recovered: the action may or may not count.
    A retry with the same ``actionId`` learns which."""

    code = "outcome_unknown"
    title = "Outcome unknown"


class BoardCold(ScoreboardError):
    """The board is not live under the present Redis history; it has to be rebuilt first. Never
    leaves the service."""

    code = "board_cold"
