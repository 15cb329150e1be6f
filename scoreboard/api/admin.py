"""Moderation: the review queue, hidden users, boards' settings, their end. Every call needs the
scope ``admin``; if the token names boards, the board concerned must be among them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, structs

from scoreboard.api.admin_queries import moderated_board
from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import MODERATION, Bodies, decode
from scoreboard.api.parameters import choice, identifier, number
from scoreboard.api.ports import BoardRemover, CaseModerator, ReviewReader, SettingsReader
from scoreboard.api.principals import Principal
from scoreboard.api.told_settings import BoardRules, told
from scoreboard.api.written import for_caller
from scoreboard.domain.actions import Identifier
from scoreboard.domain.boards import (
    SettingsChange,
    SettingsGiven,
    amending,
    check_board_name,
    replacing,
)
from scoreboard.domain.removals import RemovalKind
from scoreboard.domain.reviews import (
    KINDS,
    STATUSES,
    FeatureDecisions,
    Filter,
    GivenReason,
    ReasonText,
    Review,
    Verdict,
)
from scoreboard.domain.shards import sharded_board
from scoreboard.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    RetryLater,
    ScoreboardError,
    Unavailable,
)

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_ID = 2**63 - 1
MAX_SELECTED = 100
PATIENCE = 10.0  # seconds in which cases of a selection are begun


class Explanation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody decided so; kept in the audit. With ``episode`` the decision is about all open
    cases of the case's episode."""

    reason: ReasonText = ""
    episode: bool = False


class Confirmation(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why somebody decided so, whether the user's earlier actions are taken back too, whether the
    user is hidden from the board, and whether this is about the case's whole episode."""

    reason: ReasonText = ""
    revert_earlier: bool = False
    hide_user: bool = False
    episode: bool = False


class BulkDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision on several cases, or with ``episode`` on all open cases of their episodes."""

    ids: Annotated[
        list[Annotated[int, Meta(ge=1, le=MAX_ID)]], Meta(min_length=1, max_length=MAX_SELECTED)
    ]
    verdict: Verdict
    reason: ReasonText = ""
    episode: bool = False


class Decided(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a case of a selection: ``status`` is that of the HTTP answer that the case
    alone would have had, with the problem's ``code`` and ``detail`` if it was not decided now."""

    id: int
    status: int
    code: str = ""
    detail: str = ""


class BulkResult(msgspec.Struct, frozen=True):
    """The cases of a selection, in its order."""

    results: list[Decided]


class ReviewPage(msgspec.Struct, frozen=True):
    """Cases, newest first; ``next`` is the cursor of the page after, null on the last one."""

    reviews: list[Review]
    next: str | None


class Revert(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The action that is taken back, and why; kept in the audit."""

    action_id: Identifier
    reason: GivenReason


class Reverted(msgspec.Struct, frozen=True, rename="camel"):
    """The action that no longer counts."""

    board: str
    user_id: str
    action_id: str


class UserVisibility(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the board hides the user."""

    board: str
    user_id: str
    hidden: bool


class BoardRemoval(msgspec.Struct, frozen=True):
    """A board that was deleted or cleared. Without ``done`` that is decided and goes on by itself;
    the board answers 503 until then."""

    board: str
    done: bool


class DecidedFeatures(msgspec.Struct, frozen=True):
    """What became of the last 90 days' cases, by agent and feature that objected; a case counts for
    each of them. Those approved most often come first."""

    features: list[FeatureDecisions]


class AdminHandlers:
    """The calls of moderators."""

    def __init__(
        self,
        moderator: CaseModerator,
        remover: BoardRemover,
        reviews: ReviewReader,
        settings: SettingsReader,
        authenticator: Authenticator,
        bodies: Bodies,
    ) -> None:
        self._moderator = moderator
        self._remover = remover
        self._reviews = reviews
        self._settings = settings
        self._authenticator = authenticator
        self._bodies = bodies
        self._explanation = msgspec.json.Decoder(Explanation)
        self._confirmation = msgspec.json.Decoder(Confirmation)
        self._bulk = msgspec.json.Decoder(BulkDecision)
        self._revert = msgspec.json.Decoder(Revert)
        self._settings_given = msgspec.json.Decoder(SettingsGiven)

    async def list_reviews(self, request: web.Request) -> web.Response:
        """The queue, newest first."""
        principal = await self._authenticator.administrator(request)
        query = request.query
        board, user = moderated_board(query, principal), query.get("user")
        wanted = Filter(
            choice(query.get("status"), STATUSES, "status"),
            choice(query.get("kind"), KINDS, "kind"),
            board,
            None if user is None else identifier(user, "user"),
            principal.boards,
            episodes=choice(query.get("episodes"), ("true", "false"), "episodes") == "true",
        )
        cursor = query.get("cursor")
        limit = number(query.get("limit", str(DEFAULT_LIMIT)), "limit", least=1, most=MAX_LIMIT)
        before = None if cursor is None else number(cursor, "cursor", least=1, most=MAX_ID)
        found = await self._reviews.page(wanted, before=before, limit=limit + 1)
        following = str(found[limit - 1].id) if len(found) > limit else None
        return for_caller(ReviewPage(list(map(_shown, found[:limit])), following))

    async def decided_features(self, request: web.Request) -> web.Response:
        """How often refusals turned out to be wrong, by agent and feature."""
        principal = await self._authenticator.administrator(request)
        return for_caller(DecidedFeatures(await self._reviews.by_feature(principal.boards)))

    async def get_review(self, request: web.Request) -> web.Response:
        """One case with what its user did lately."""
        review, _ = await self._case(request)
        details = await self._reviews.details(review)
        return for_caller(structs.replace(details, review=_shown(review)))

    async def approve(self, request: web.Request) -> web.Response:
        """Lets the action count."""
        review, principal = await self._case(request)
        why = await self._body(request, self._explanation)
        decision = await self._moderator.approve(
            review.id, by=principal.subject, reason=why.reason, episode=why.episode
        )
        return for_caller(structs.replace(decision, review=_shown(decision.review)))

    async def confirm(self, request: web.Request) -> web.Response:
        """Keeps the action out, or takes it back."""
        review, principal = await self._case(request)
        wanted = await self._body(request, self._confirmation)
        decision = await self._moderator.confirm(
            review.id,
            by=principal.subject,
            reason=wanted.reason,
            revert_earlier=wanted.revert_earlier,
            hide_user=wanted.hide_user,
            episode=wanted.episode,
        )
        return for_caller(structs.replace(decision, review=_shown(decision.review)))

    async def decide(self, request: web.Request) -> web.Response:
        """Decides a selection of cases one by one. One that can't be decided stops no other, unless
        it is for want of a server, or the call has taken long: then the others are not tried."""
        principal = await self._authenticator.administrator(request)
        wanted = decode(self._bulk, await self._bodies.read(request, most=MODERATION))
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        halted: ScoreboardError | None = None
        results: list[Decided] = []
        for id_ in wanted.ids:
            if halted is None and loop.time() >= until:
                halted = Unavailable("This takes long. Repeat the call to continue it.")
            failed = halted or await self._failed(principal, wanted, id_)
            if isinstance(failed, RetryLater):
                halted = failed
            results.append(
                Decided(id_, failed.status, failed.code, failed.detail)
                if failed
                else Decided(id_, 200)
            )
        return for_caller(BulkResult(results))

    async def _failed(
        self, principal: Principal, wanted: BulkDecision, id_: int
    ) -> ScoreboardError | None:
        """Decides one case of a selection, or says why not."""
        by, reason, episode = principal.subject, wanted.reason, wanted.episode
        try:
            await self._moderated(principal, id_)
            if wanted.verdict == "approved":
                await self._moderator.approve(id_, by=by, reason=reason, episode=episode)
            else:
                await self._moderator.confirm(
                    id_,
                    by=by,
                    reason=reason,
                    revert_earlier=False,
                    hide_user=False,
                    episode=episode,
                )
        except ScoreboardError as error:
            return error
        return None

    async def hide_user(self, request: web.Request) -> web.Response:
        """Hides a user from the board."""
        return await self._set_hidden(request, hidden=True)

    async def show_user(self, request: web.Request) -> web.Response:
        """Shows a hidden user on the board again."""
        return await self._set_hidden(request, hidden=False)

    async def revert_action(self, request: web.Request) -> web.Response:
        """Takes one action of a user back."""
        board, principal = await self._board(request)
        user = identifier(request.match_info["user"], "userId")
        wanted = decode(self._revert, await self._bodies.read(request, most=MODERATION))
        await self._moderator.revert(
            board, user, wanted.action_id, by=principal.subject, reason=wanted.reason
        )
        return for_caller(Reverted(board, user, wanted.action_id))

    async def get_board(self, request: web.Request) -> web.Response:
        """A board's settings."""
        board, _ = await self._board(request)
        return for_caller(told(BoardRules, await self._settings.get(board), board=board))

    async def put_board(self, request: web.Request) -> web.Response:
        """Makes a board, or replaces all settings of one that exists."""
        return await self._configure(request, replacing)

    async def patch_board(self, request: web.Request) -> web.Response:
        """Changes some of a board's settings."""
        return await self._configure(request, amending)

    async def delete_board(self, request: web.Request) -> web.Response:
        """Deletes a board with its ledger."""
        return await self._remove(request, "delete")

    async def clear_board(self, request: web.Request) -> web.Response:
        """Deletes a board's scores with their ledger."""
        return await self._remove(request, "clear")

    async def _remove(self, request: web.Request, kind: RemovalKind) -> web.Response:
        board, principal = await self._board(request)
        if request.query.getall("confirm", []) != [board]:
            raise InvalidRequest(
                "There is no way back: confirm names the board again.", path="confirm"
            )
        done = await self._remover.remove(board, kind, by=principal.subject)
        return for_caller(BoardRemoval(board, done), status=200 if done else 202)

    async def _configure(
        self, request: web.Request, changing: Callable[[Any], SettingsChange]
    ) -> web.Response:
        board, principal = await self._board(request)
        body = await self._bodies.read(request, most=MODERATION)
        change = changing(decode(self._settings_given, body))
        settings = await self._moderator.configure(board, change, by=principal.subject)
        return for_caller(told(BoardRules, settings, board=board))

    async def _set_hidden(self, request: web.Request, *, hidden: bool) -> web.Response:
        board, principal = await self._board(request)
        user = identifier(request.match_info["user"], "userId")
        why = await self._body(request, self._explanation)
        await self._moderator.set_hidden(
            board, user, hidden=hidden, by=principal.subject, reason=why.reason
        )
        return for_caller(UserVisibility(board, user, hidden))

    async def _board(self, request: web.Request) -> tuple[str, Principal]:
        principal = await self._authenticator.administrator(request)
        board = request.match_info["board"]
        check_board_name(board)
        if not principal.may_moderate(board):
            raise Forbidden("The token does not allow moderating this board.")
        return board, principal

    async def _case(self, request: web.Request) -> tuple[Review, Principal]:
        principal = await self._authenticator.administrator(request)
        try:
            review_id = number(request.match_info["id"], "id", least=1, most=MAX_ID)
        except InvalidRequest:
            raise NotFound("There is no such case.") from None
        return await self._moderated(principal, review_id), principal

    async def _moderated(self, principal: Principal, review_id: int) -> Review:
        review = await self._reviews.get(review_id)
        if not principal.may_moderate(sharded_board(review.board)):
            raise Forbidden("The token does not allow moderating this board.")
        return review

    async def _body(self, request: web.Request, decoder: msgspec.json.Decoder[Any]) -> Any:
        """The decoded body; an empty body gives all defaults."""
        if not request.can_read_body:
            return decoder.decode(b"{}")
        return decode(decoder, await self._bodies.read(request, most=MODERATION))


def _shown(review: Review) -> Review:
    """The case as one of its board, which may be one of a shard."""
    return structs.replace(review, board=sharded_board(review.board))
