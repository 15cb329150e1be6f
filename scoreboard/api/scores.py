"""POST of score actions, one or up to 1,000 at a time."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET

from scoreboard.api.answers import accepted, failed, refused
from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import ONE_ACTION, Bodies, decode
from scoreboard.api.pace import Pace
from scoreboard.api.parameters import board_named
from scoreboard.api.players.erased import ErasedPlayers
from scoreboard.api.ports import ScoreSubmitter
from scoreboard.api.principals import Principal
from scoreboard.api.problems import CONTENT_TYPE, retry_after
from scoreboard.domain.actions import RawActionBatch, ScoreAction
from scoreboard.domain.durability import Durability
from scoreboard.domain.moments import milliseconds_of
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import (
    BoardQuotaExceeded,
    Forbidden,
    InvalidRequest,
    RateLimited,
    RetryLater,
    ScoreboardError,
    UnknownBoard,
)
from scoreboard.telemetry import metrics
from scoreboard.telemetry.tallies import Tally

_encode = msgspec.json.Encoder().encode
_action = msgspec.json.Decoder(ScoreAction)
_batch = msgspec.json.Decoder(RawActionBatch)

_counts = {outcome: Tally(metrics.actions.labels(outcome.name.lower())) for outcome in Outcome}

# A duplicate's answer acknowledges the action as much as the first answer did.
_ACKNOWLEDGED = (Outcome.ACCEPTED, Outcome.DUPLICATE)


class ScoreHandlers:
    """The four calls that submit actions. ``player_pace`` is that of players' own tokens by
    subject, ``board_pace`` that at which a subject may open boards."""

    def __init__(
        self,
        submitter: ScoreSubmitter,
        authenticator: Authenticator,
        bodies: Bodies,
        erased: ErasedPlayers,
        *,
        default_board: str,
        durability: Durability,
        player_pace: Pace,
        board_pace: Pace,
    ) -> None:
        self._submitter = submitter
        self._authenticator = authenticator
        self._default_board = default_board
        self._durability = durability
        self._bodies = bodies
        self._erased = erased
        self._player_pace = player_pace
        self._board_pace = board_pace
        self._opening: set[str] = set()
        self._attempt_prefix = secrets.token_urlsafe(6)
        self._attempts = itertools.count()

    async def post_score(self, request: web.Request) -> web.Response:
        """One score action."""
        principal = self._authenticator.principal(request)
        if principal is None:
            principal = await self._authenticator.authenticate(request)
        board, durability, preferences = self._target(request, principal)
        body = await self._bodies.read(request, most=ONE_ACTION)
        submission = self._submission(decode(_action, body), principal, board)
        try:
            results, reached = await self._submit(board, (submission,), principal, durability)
        except RetryLater as error:
            metrics.actions.labels(error.code).inc()
            raise
        result = results[0]
        _counts[result.outcome].inc()
        return _answer(submission.action, result, durability, reached, preferences)

    async def post_scores(self, request: web.Request) -> web.Response:
        """Up to 1,000 score actions, each with its own answer."""
        principal = await self._authenticator.authenticate(request)
        board, durability, preferences = self._target(request, principal)
        body = await self._bodies.read(request)
        answers, submissions = self._submissions(body, principal, board)
        reached = durability
        if submissions:
            try:
                results, reached = await self._submit(
                    board, [submission for _, submission in submissions], principal, durability
                )
            except RetryLater as error:
                metrics.actions.labels(error.code).inc(len(submissions))
                raise
            late = UNSET if reached is durability else reached.value
            status = 200 if reached is durability else 202
            for (at, submission), result in zip(submissions, results, strict=True):
                _counts[result.outcome].inc()
                if result.outcome is Outcome.ACCEPTED:
                    answers[at] = _Item(status, accepted(submission.action, result, late))
                else:
                    answers[at] = refused(submission.action, result, f"actions[{at}]")
        response = web.Response(
            body=b'{"results":[' + b",".join(map(_encoded, answers)) + b"]}",
            content_type="application/json",
        )
        return _with_preference(response, preferences, durability, reached)

    def _target(self, request: web.Request, principal: Principal) -> tuple[str, Durability, str]:
        """The board, the durability that is wanted, and the preferences, of which it is one."""
        board = board_named(request.match_info, self._default_board)
        if not (
            principal.is_trusted_on(board) or principal.may_submit_for(principal.subject, board)
        ):
            raise Forbidden("The token does not allow submitting scores to this board.")
        preferences = _preferences(request)
        durability = self._preferred(preferences) if preferences else self._durability
        return board, durability, preferences

    def _preferred(self, header: str) -> Durability:
        for preference in header.split(","):
            name, _, value = preference.partition(";")[0].partition("=")
            if name.strip().lower() == "durability":
                try:
                    return Durability(value.strip(' "').lower())
                except ValueError:
                    raise InvalidRequest(
                        "Prefer: durability must be redis, replica, disk or postgres.",
                        path="Prefer",
                    ) from None
        return self._durability

    def _submission(
        self, action: ScoreAction, principal: Principal, board: str, within: str = ""
    ) -> Submission:
        trusted = principal.is_trusted_on(board)
        if not trusted and not principal.may_submit_for(action.user_id, board):
            raise Forbidden("The token allows actions of its own user only.")
        self._erased.check(action.user_id)
        if not trusted and (wait := self._player_pace.wait(principal.subject)):
            _counts[Outcome.RATE_LIMITED].inc()
            raise RateLimited(
                "This player's own token may post no further action yet.",
                retry_after=wait,
                userId=action.user_id,
                actionId=action.action_id,
                retryAfter=wait,
            )
        received_ms = at_ms = time.time_ns() // 1_000_000
        late_ms = None
        context = action.context
        if context is not None and context.occurred_at is not None:
            occurred_ms = _milliseconds(context.occurred_at, within)
            if trusted:
                at_ms = late_ms = occurred_ms
        attempt = f"{self._attempt_prefix}.{next(self._attempts):x}"
        return Submission(action, attempt, at_ms, received_ms, late_ms)

    async def _submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        principal: Principal,
        durability: Durability,
    ) -> tuple[list[Result], Durability]:
        """As ScoreSubmitter.submit. A game server's action opens the board if there is none."""
        submit = self._submitter.submit
        try:
            return await submit(board, submissions, create=False, durability=durability)
        except UnknownBoard:
            if not principal.is_trusted_on(board):
                raise
        if board in self._opening:  # others come while the first opens it
            return await submit(board, submissions, create=True, durability=durability)
        if wait := self._board_pace.wait(principal.subject):
            raise BoardQuotaExceeded("This token may open no further board yet.", retry_after=wait)
        self._opening.add(board)
        try:
            return await submit(board, submissions, create=True, durability=durability)
        finally:
            self._opening.discard(board)

    def _submissions(
        self, body: bytes, principal: Principal, board: str
    ) -> tuple[list[Any], list[tuple[int, Submission]]]:
        """A list with a place for each answer, in which the actions that can't be submitted have
        theirs already; and the other actions, each with the index of its place."""
        raw = decode(_batch, body).actions
        answers: list[Any] = [None] * len(raw)
        submissions: list[tuple[int, Submission]] = []
        for at, item in enumerate(raw):
            within = f"actions[{at}]"
            try:
                action = decode(_action, item, within)
                submissions.append((at, self._submission(action, principal, board, within)))
            except ScoreboardError as error:
                answers[at] = failed(error)
        return answers, submissions


class _Item(msgspec.Struct, frozen=True, gc=False):
    """An accepted action among the results of a batch."""

    status: int
    body: msgspec.Struct


def _encoded(item: Any) -> bytes:
    if isinstance(item, _Item):
        return b'{"status":%d,' % item.status + _encode(item.body)[1:]
    return _encode(item)


def _milliseconds(timestamp: str, within: str) -> int:
    """Unix milliseconds of a moment, from 1970 on, the form that events have."""
    path = f"{within}.context.occurredAt" if within else "context.occurredAt"
    try:
        milliseconds = milliseconds_of(timestamp)
    except ValueError:
        raise InvalidRequest(
            "Not a date and time that exists, or one after the year 9999.", path=path
        ) from None
    if milliseconds < 0:
        raise InvalidRequest("A moment before 1970.", path=path)
    return milliseconds


def _answer(
    action: ScoreAction,
    result: Result,
    asked: Durability,
    reached: Durability,
    preferences: str,
) -> web.Response:
    if result.outcome is Outcome.ACCEPTED:
        late = UNSET if reached is asked else reached.value
        response = web.Response(
            body=_encode(accepted(action, result, late)),
            status=200 if reached is asked else 202,
            content_type="application/json",
        )
    else:
        document = refused(action, result)
        response = web.Response(
            body=_encode(document), status=document["status"], content_type=CONTENT_TYPE
        )
        if result.retry_after is not None:
            response.headers["Retry-After"] = retry_after(result.retry_after)
    if result.outcome in _ACKNOWLEDGED:
        return _with_preference(response, preferences, asked, reached)
    return response


def _with_preference(
    response: web.Response, preferences: str, asked: Durability, reached: Durability
) -> web.Response:
    if reached is asked and "durability" in preferences.lower():
        response.headers["Preference-Applied"] = f"durability={reached.value}"
    return response


def _preferences(request: web.Request) -> str:
    """All lines of the header joined into one (RFC 9110, section 5.3)."""
    lines = request.headers.getall("Prefer", None)
    return ",".join(lines) if lines else ""
