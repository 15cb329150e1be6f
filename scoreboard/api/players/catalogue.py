"""The calls about players, for the table that routes and describes them."""

from __future__ import annotations

from typing import Any

from scoreboard.api.occurrence_reads import OCCURRENCE, PERIOD
from scoreboard.api.operations import Operation, Parameter
from scoreboard.api.parameters import BOARD, USER
from scoreboard.api.players.board_search import (
    DEFAULT_SHOWN,
    MAX_SHOWN,
    BoardSearchHandlers,
    FoundOnBoard,
)
from scoreboard.api.players.erasures import ErasureHandlers
from scoreboard.api.players.profiles import ProfileHandlers, ProfileList
from scoreboard.api.players.search import (
    DEFAULT_FOUND,
    MAX_FOUND,
    FoundPlayers,
    PlayersBoards,
    PlayerSearchHandlers,
)
from scoreboard.api.tokens import ADMIN, BOARD_READ, SCORE_SUBMIT, SCORE_WRITE
from scoreboard.domain.actions import UserList
from scoreboard.domain.erasures import MODES, Erasure
from scoreboard.domain.profiles import MAX_NAME, Profile, UserProfile

_BAD_BODY = {
    400: ("invalid_request: malformed JSON or a field out of bounds, named by path", "problem"),
    413: ("payload_too_large", "problem"),
    415: ("unsupported_media_type: send application/json, plain, gzip or deflate", "problem"),
}
_REFUSALS = {
    401: ("unauthorized: no usable token", "problem"),
    403: ("forbidden", "problem"),
    503: ("unavailable: try again after Retry-After", "problem"),
}
_ERASED = ("erased: this player was erased; admit the id first if it is a new one's", "problem")
_RUNNING = ("erasure_running: erasure names the job", "problem")
_MODE = Parameter(
    "mode",
    "query",
    {"type": "string", "enum": list(MODES), "default": "erase"},
    "whether totals and the ledger's sums stay, under a pseudonym",
)
_NAME = Parameter(
    "name",
    "query",
    {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
    "how the name begins, in any capitals",
    required=True,
)
_FOUND = Parameter(
    "limit",
    "query",
    {"type": "integer", "minimum": 1, "maximum": MAX_FOUND, "default": DEFAULT_FOUND},
)
_SHOWN = Parameter(
    "limit",
    "query",
    {"type": "integer", "minimum": 1, "maximum": MAX_SHOWN, "default": DEFAULT_SHOWN},
)
_ERASURE = Parameter("erasure", "path", {"type": "string"})
_READERS = (BOARD_READ, SCORE_SUBMIT, SCORE_WRITE, ADMIN)


def player_operations(
    profiles: ProfileHandlers,
    erasures: ErasureHandlers,
    search: PlayerSearchHandlers,
    on_boards: BoardSearchHandlers,
) -> list[Operation]:
    """The calls about players."""
    put: dict[int, tuple[str, Any]] = {
        200: ("The profile as it is kept", UserProfile),
        **_BAD_BODY,
        **_REFUSALS,
        410: _ERASED,
        429: ("rate_limited: try again after Retry-After", "problem"),
    }
    return [
        Operation(
            "PUT", "/api/users/{user}", "put_profile", profiles.put,
            "Set a player's profile; what is left out is not shown", put, Profile,
            example={"displayName": "Ada", "country": "GB", "visibility": "public"},
            parameters=[USER], scopes=(SCORE_WRITE, SCORE_SUBMIT), tag="players",
        ),
        Operation(
            "GET", "/api/users/{user}", "get_profile", profiles.get, "A player's profile",
            {200: ("The profile", UserProfile), 400: ("invalid_request", "problem"), **_REFUSALS,
             404: ("unknown_profile: there is none, or none that the caller may see", "problem")},
            parameters=[USER], scopes=_READERS, tag="players",
        ),
        Operation(
            "POST", "/api/users:lookup", "lookup_profiles", profiles.lookup,
            "Profiles of up to 500 listed players",
            {200: ("The profiles", ProfileList), **_BAD_BODY, **_REFUSALS}, UserList,
            example={"userIds": ["ada", "bob"]}, scopes=_READERS, tag="players",
        ),
        Operation(
            "DELETE", "/api/users/{user}", "erase_player", erasures.erase,
            "Erase a player from everything, or make a player anonymous",
            {202: ("The receipt: a persister does it", Erasure),
             400: ("invalid_request, named by path", "problem"), **_REFUSALS, 409: _RUNNING},
            parameters=[USER, _MODE], scopes=(ADMIN,), tag="players",
        ),
        Operation(
            "GET", "/api/erasures/{erasure}", "get_erasure", erasures.get,
            "The receipt of an erasure",
            {200: ("How far it is", Erasure), 400: ("invalid_request", "problem"), **_REFUSALS,
             404: ("not_found", "problem")},
            parameters=[_ERASURE], scopes=(ADMIN,), tag="players",
        ),
        Operation(
            "POST", "/api/users/{user}/admit", "admit_player", erasures.admit,
            "Let an erased player's id be a new player's",
            {204: ("Taken from now on", None), 400: ("invalid_request", "problem"), **_REFUSALS,
             404: ("not_found: no player of this id was erased", "problem"), 409: _RUNNING},
            parameters=[USER], scopes=(ADMIN, SCORE_WRITE), tag="players",
        ),
        Operation(
            "GET", "/api/users/{user}/export", "export_player", erasures.export,
            "All that is held about a player",
            {200: ("One object. Without its end, when the client or Postgres fails amid it",
                   dict[str, Any]),
             400: ("invalid_request", "problem"), **_REFUSALS},
            parameters=[USER], scopes=(SCORE_SUBMIT, ADMIN), tag="players",
        ),
        Operation(
            "GET", "/api/boards/{board}/users", "find_users", on_boards.find,
            "Users of a board by the beginning of their names, but for anonymous and hidden ones",
            {200: ("By rank", FoundOnBoard), 400: ("invalid_request", "problem"), **_REFUSALS,
             404: ("unknown_board, unknown_period, unknown_occurrence, occurrence_gone, or "
                   "period_required, which names the periods", "problem")},
            parameters=[BOARD, _NAME, _SHOWN, PERIOD, OCCURRENCE], scopes=_READERS, tag="players",
        ),
        Operation(
            "GET", "/api/admin/players", "find_players", search.named,
            "Players by the beginning of their names, whoever may see them",
            {200: ("By name", FoundPlayers), 400: ("invalid_request", "problem"), **_REFUSALS},
            parameters=[_NAME, _FOUND], scopes=(ADMIN,), tag="admin",
        ),
        Operation(
            "GET", "/api/admin/players/{user}", "get_players_boards", search.boards,
            "The boards that have a total of a player",
            {200: ("By name; none for whom nobody knows", PlayersBoards),
             400: ("invalid_request", "problem"), **_REFUSALS},
            parameters=[USER], scopes=(ADMIN,), tag="admin",
        ),
    ]  # fmt: skip
