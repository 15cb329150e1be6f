"""Who is calling, and what a token allows."""

from __future__ import annotations

from dataclasses import dataclass

from scoreboard.api.tokens import ADMIN, BOARD_READ, SCORE_SUBMIT, SCORE_WRITE


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. ``boards`` is None for all boards; ``expires_at`` and ``issued_at`` are in
    Unix seconds. The latter and ``token_id`` are None when the token does not tell them."""

    subject: str
    scopes: frozenset[str]
    boards: frozenset[str] | None
    expires_at: float
    token_id: str | None = None
    issued_at: float | None = None

    def has(self, scope: str, board: str | None = None) -> bool:
        """True when the token grants ``scope``, on ``board`` if one is named."""
        return scope in self.scopes and (
            board is None or self.boards is None or board in self.boards
        )

    def is_trusted_on(self, board: str) -> bool:
        """May post for any user and create the board: a game server."""
        return self.has(SCORE_WRITE, board)

    def may_submit_for(self, user_id: str, board: str) -> bool:
        """True when the caller may post actions of this user on the board."""
        return self.has(SCORE_WRITE, board) or (
            user_id == self.subject and self.has(SCORE_SUBMIT, board)
        )

    def may_read(self, board: str | None = None) -> bool:
        """True when the caller may read the board, or boards if none is named: whoever moderates
        one may."""
        return self.has(BOARD_READ, board) or self.has(ADMIN, board)

    def may_moderate(self, board: str) -> bool:
        """True when the caller may moderate the board."""
        return self.has(ADMIN, board)

    def may_speak_for(self, user_id: str) -> bool:
        """True when the caller may say what is shown of this user on all boards: a game server of
        all of them, or the player."""
        return (self.has(SCORE_WRITE) and self.boards is None) or self.is_player(user_id)

    def is_player(self, user_id: str) -> bool:
        """True for the player's own token."""
        return user_id == self.subject and self.has(SCORE_SUBMIT)

    def sees_everybody(self, board: str | None = None) -> bool:
        """True when nobody is anonymous or hidden to the caller: on ``board``, or on all."""
        if board is None and self.boards is not None:
            return False
        return self.has(SCORE_WRITE, board) or self.has(ADMIN, board)
