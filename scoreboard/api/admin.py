"""Moderation: the review queue, hidden users, boards' settings. Every call needs the scope
``admin``; if the token names boards, the board concerned must be among them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, structs

from scoreboard.api.auth import Authenticator, Principal
from scoreboard.api.bodies import decode, read_json
from scoreboard.api.parameters import choice, identifier, number
from scoreboard.api.ports import CaseModerator, ReviewReader, SettingsReader
from scoreboard.api.tokens import ADMIN
from scoreboard.domain.boards import BoardSettings, GateMode, Rate, check_board_name, is_board_name
from scoreboard.domain.reviews import (
    KINDS,
    MAX_REASON,
    STATUSES,
    Filter,
    Review,
)
from scoreboard.errors import Forbidden, InvalidRequest, NotFound

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_ID = 2**63 - 1

# Lines and tabs are allowed, other control characters are not.
_Reason = Annotated[str, Meta(max_length=MAX_REASON, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$")]
_encode = msgspec.json.Encoder().encode


class Explanation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody decided so; kept in the audit."""

    reason: _Reason = ""


class Confirmation(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why somebody decided so, whether the user's earlier actions are taken back too, and whether
    the user is hidden from the board."""

    reason: _Reason = ""
    revert_earlier: bool = False
    hide_user: bool = False


class ReviewPage(msgspec.Struct, frozen=True):
    """Cases, newest first; ``next`` is the cursor of the page after, null on the last one."""

    reviews: list[Review]
    next: str | None


class BoardRules(msgspec.Struct, frozen=True, rename="camel"):
    """A board with all its settings: the gate's mode, the bounds of an action's points, the rate
    (null: unlimited), and whether the gate accepts actions of any age."""

    board: str
    mode: GateMode
    min_points: int
    max_points: int
    rate: Rate | None
    allow_history: bool


class UserVisibility(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the board hides the user."""

    board: str
    user_id: str
    hidden: bool


class AdminHandlers:
    """The calls of moderators. ``body_timeout`` in seconds."""

    def __init__(
        self,
        moderator: CaseModerator,
        reviews: ReviewReader,
        settings: SettingsReader,
        authenticator: Authenticator,
        *,
        body_timeout: float,
    ) -> None:
        self._moderator = moderator
        self._reviews = reviews
        self._settings = settings
        self._authenticator = authenticator
        self._body_timeout = body_timeout
        self._explanation = msgspec.json.Decoder(Explanation)
        self._confirmation = msgspec.json.Decoder(Confirmation)
        self._board_settings = msgspec.json.Decoder(BoardSettings)

    async def list_reviews(self, request: web.Request) -> web.Response:
        """The queue, newest first."""
        principal = await self._administrator(request)
        query = request.query
        board, user = query.get("board"), query.get("user")
        if board is not None:
            if not is_board_name(board):
                raise InvalidRequest("This can't be the name of a board.", path="board")
            if not principal.may_moderate(board):
                raise Forbidden("The token does not allow moderating this board.")
        wanted = Filter(
            choice(query.get("status"), STATUSES, "status"),
            choice(query.get("kind"), KINDS, "kind"),
            board,
            None if user is None else identifier(user, "user"),
            principal.boards,
        )
        cursor = query.get("cursor")
        limit = number(query.get("limit", str(DEFAULT_LIMIT)), "limit", least=1, most=MAX_LIMIT)
        before = None if cursor is None else number(cursor, "cursor", least=1, most=MAX_ID)
        found = await self._reviews.page(wanted, before=before, limit=limit + 1)
        following = str(found[limit - 1].id) if len(found) > limit else None
        return _json(ReviewPage(found[:limit], following))

    async def get_review(self, request: web.Request) -> web.Response:
        """One case with what its user did lately."""
        review, _ = await self._case(request)
        return _json(await self._reviews.details(review))

    async def approve(self, request: web.Request) -> web.Response:
        """Lets the action count."""
        review, principal = await self._case(request)
        why = await self._body(request, self._explanation)
        return _json(
            await self._moderator.approve(review.id, by=principal.subject, reason=why.reason)
        )

    async def confirm(self, request: web.Request) -> web.Response:
        """Keeps the action out, or takes it back."""
        review, principal = await self._case(request)
        wanted = await self._body(request, self._confirmation)
        return _json(
            await self._moderator.confirm(
                review.id,
                by=principal.subject,
                reason=wanted.reason,
                revert_earlier=wanted.revert_earlier,
                hide_user=wanted.hide_user,
            )
        )

    async def hide_user(self, request: web.Request) -> web.Response:
        """Hides a user from the board."""
        return await self._set_hidden(request, hidden=True)

    async def show_user(self, request: web.Request) -> web.Response:
        """Shows a hidden user on the board again."""
        return await self._set_hidden(request, hidden=False)

    async def get_board(self, request: web.Request) -> web.Response:
        """A board's settings."""
        board, _ = await self._board(request)
        return _json(_rules(board, await self._settings.get(board)))

    async def put_board(self, request: web.Request) -> web.Response:
        """Replaces a board's settings; creates the board if there is none."""
        board, principal = await self._board(request)
        body = await read_json(request, timeout=self._body_timeout)
        settings = decode(self._board_settings, body)
        await self._moderator.configure(board, settings, by=principal.subject)
        return _json(_rules(board, settings))

    async def _set_hidden(self, request: web.Request, *, hidden: bool) -> web.Response:
        board, principal = await self._board(request)
        user = identifier(request.match_info["user"], "userId")
        why = await self._body(request, self._explanation)
        await self._moderator.set_hidden(
            board, user, hidden=hidden, by=principal.subject, reason=why.reason
        )
        return _json(UserVisibility(board, user, hidden))

    async def _administrator(self, request: web.Request) -> Principal:
        principal = await self._authenticator.authenticate(request)
        if not principal.has(ADMIN):
            raise Forbidden("The token lacks the scope admin.")
        return principal

    async def _board(self, request: web.Request) -> tuple[str, Principal]:
        principal = await self._administrator(request)
        board = request.match_info["board"]
        check_board_name(board)
        if not principal.may_moderate(board):
            raise Forbidden("The token does not allow moderating this board.")
        return board, principal

    async def _case(self, request: web.Request) -> tuple[Review, Principal]:
        principal = await self._administrator(request)
        try:
            review_id = number(request.match_info["id"], "id", least=1, most=MAX_ID)
        except InvalidRequest:
            raise NotFound("There is no such case.") from None
        review = await self._reviews.get(review_id)
        if not principal.may_moderate(review.board):
            raise Forbidden("The token does not allow moderating this board.")
        return review, principal

    async def _body(self, request: web.Request, decoder: msgspec.json.Decoder[Any]) -> Any:
        """The decoded body; an empty body gives all defaults."""
        if not request.can_read_body:
            return decoder.decode(b"{}")
        return decode(decoder, await read_json(request, timeout=self._body_timeout))


def _rules(board: str, settings: BoardSettings) -> BoardRules:
    return BoardRules(board, **structs.asdict(settings))


def _json(value: msgspec.Struct) -> web.Response:
    return web.Response(
        body=_encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
