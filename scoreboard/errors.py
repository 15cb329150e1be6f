"""The one error tree. Each class is an answer that a caller can act on; drivers' errors are
translated into it at the boundary where they arise (``raise X from e``)."""

from __future__ import annotations

from typing import Any, ClassVar


class ScoreboardError(Exception):
    """Base of all errors that the service answers with.

    ``code`` is the stable word in the problem document, ``status`` its HTTP status. ``extra`` are
    further members of the document; ``retry_after`` is in seconds and becomes a header.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, retry_after: float | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
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


class MethodNotAllowed(ScoreboardError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class AlreadyDecided(ScoreboardError):
    """The case was decided before; ``extra['decision']`` is the first decision."""

    code = "already_decided"
    status = 409
    title = "Already decided"


class NotDecidable(ScoreboardError):
    """The case does not allow this decision; the detail says why."""

    code = "not_decidable"
    status = 409
    title = "This decision is not possible"


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
    """The body is not JSON."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"


class RetryLater(ScoreboardError):
    """Base of the answers with status 503: the same call is worth repeating after ``retry_after``
    seconds, which they always carry. What the call may have done by then, the subclass says."""

    status = 503

    def __init__(self, detail: str, *, retry_after: float = 1.0, **extra: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **extra)


class Unavailable(RetryLater):
    """A dependency is down, the board is being rebuilt or the backlog is full. Of score actions
    nothing was written; any other call may be half done, and goes on when it is repeated."""

    code = "unavailable"
    title = "Service unavailable"


class OutcomeUnknown(RetryLater):
    """The reply of Redis was lost and could not be recovered: the action may or may not count.
    A retry with the same ``actionId`` learns which."""

    code = "outcome_unknown"
    title = "Outcome unknown"


class BoardCold(ScoreboardError):
    """The board is not live under the present Redis history; it has to be rebuilt first. Never
    leaves the service."""

    code = "board_cold"
