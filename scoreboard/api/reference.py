"""The chapters of the API's description that belong to no single call: tokens, errors, tags."""

from __future__ import annotations

from collections.abc import Iterator

from scoreboard.api.answers import refusals
from scoreboard.errors import BoardCold, ConfigurationError, ScoreboardError

TAGS = {
    "scores": "Score actions, one or many in a call. Each counts once per user, board and "
    "`actionId`, so after a timeout or a lost reply the same call is simply made again.",
    "boards": "The top (10 unless the board's rules say otherwise), a user's standing, neighbours "
    "and friends. Unless the service keeps reads for itself (`SCOREBOARD_PUBLIC_READS=false`), no "
    "token is needed.",
    "players": "What players say of themselves, and who may see it. The profile of an anonymous or "
    "hidden player is shown to the player's own token, to game servers and administrators.",
    "live": "The top of a board as it changes. What the messages look like is in the description "
    "of the WebSocket, `/asyncapi.json`, which has a page of its own here: Live messages.",
    "admin": "The review queue, hidden users, boards' settings, revoked tokens, webhooks. Every "
    "decision is recorded with its reason.",
    "operation": "For load balancers and monitoring.",
    "pages": "The pages for people, and the descriptions for programs.",
}

ANSWERED = ("scoreboard.errors", "scoreboard.api.")  # other rooms' errors stay inside
# What a client learns from each code, and what it may do. Codes never change their meaning.
MEANINGS = {
    "invalid_request": "Malformed JSON or a value out of bounds; `path` names the field.",
    "unauthorized": "No usable token. Why is in the service's log, not in the answer.",
    "forbidden": "The token is good, but not for this: its scopes, its boards or its user.",
    "anomaly_rejected": "The board's gate refused the action; `agents` names who did. A person "
    "may still approve it.",
    "not_found": "There is nothing at this address.",
    "unknown_board": "There is no such board, and this token may not make one.",
    "unknown_user": "The user is not on the board.",
    "unknown_profile": "The user has no profile, or none that this caller may see.",
    "period_required": "The board has no table of all time; `periods` names those that it has.",
    "unknown_period": "The board has no such period.",
    "unknown_occurrence": "The period has had no such occurrence.",
    "occurrence_gone": "The occurrence's users are no longer kept.",
    "detail_gone": "Single actions of that time are not kept; `detailFrom` says since when.",
    "method_not_allowed": "The address exists, for other methods; `Allow` lists them.",
    "duplicate_action": "Counted before; `score` is the total that it led to. After a retry this "
    "is the good answer.",
    "action_conflict": "The same `actionId` with other points. The first ones count.",
    "gate_is_on": "The board's gate would take imported totals for ways to play. Set its `mode` to "
    "`off` for the import.",
    "board_has_scores": "The rule named by `path` can't change once the board has scores. Make "
    "another board, or clear this one.",
    "board_closed": "The board takes no actions yet (`opensAt` says when it does), or no more. "
    "Nothing was written.",
    "attempts_exhausted": "The user has had all attempts that the board allows. Nothing was "
    "written.",
    "board_full": "The user is not in, and the board takes no more users. Nothing was written.",
    "not_joined": "The board wants its users to join first. Nothing was written.",
    "already_decided": "Somebody decided the case before; `decision` says who and how.",
    "not_decidable": "A case of this kind can't be decided so.",
    "erasure_running": "The player is being erased; `erasure` names the job.",
    "erased": "The player was erased. Admit the id first if it is a new player's. Nothing was "
    "written.",
    "too_many_webhooks": "The installation has as many webhooks as it may have.",
    "request_timeout": "The request did not arrive in time. Nothing was done.",
    "misdirected_request": "The service is not called by the name in `Host`.",
    "upgrade_required": "Only WebSockets of version 13 are spoken here; `Upgrade` says so.",
    "too_many_requests": "Too much at once from this address; come back after `Retry-After`.",
    "board_quota_exceeded": "The token opens too many boards. Nothing was written, none was made.",
    "payload_too_large": "The body is larger than this call allows.",
    "unsupported_media_type": "Send `Content-Type: application/json`, as it is or with the "
    "`Content-Encoding` gzip or deflate.",
    "points_out_of_bounds": "The board allows no action with so many points. Nothing was written.",
    "score_out_of_range": "The total would leave ±2^50. Nothing was written.",
    "rate_limited": "The board allows this user no further action yet; `retryAfter` says when.",
    "unavailable": "Something that the service needs is away. Of an action nothing was written; "
    "make the same call again after `Retry-After`.",
    "too_expensive": "The answer would take longer than it may. Ask for less, or after "
    "`Retry-After`.",
    "outcome_unknown": "The action may or may not count. The same call again tells which.",
    "internal": "A fault of the service; its log says more.",
}

_ABOUT = """Leaderboards: game servers post score actions, players see the top move live over a
WebSocket. Calls without a board in their path are about the default board.

# Tokens

A call bears a JSON Web Token: `Authorization: Bearer <token>`. Your login service signs it with a
key that Scoreboard knows; to try things out, `scoreboard up` and `scoreboard token` print one.

| claim | meaning |
|---|---|
| `sub` | who calls: a user's id, or a server's name |
| `exp` | until when, in Unix seconds; a token without it is refused |
| `scope` | what for: one or more of the scopes below, separated by spaces |
| `boards` | optional: the boards that it is good for, as a list; all without it |

| scope | allows |
|---|---|
| `score:write` | to post actions of any user, and to make a board by posting to it: a game server |
| `score:submit` | to post the actions of `sub` alone, to boards that exist: a player |
| `board:read` | to read, where reads are not public, and to get tickets for WebSockets |
| `admin` | to moderate and to set boards, and to read them |

A browser can't send a token with a WebSocket. Where reads are not public, it gets a ticket by `POST
/api/ws-ticket` and opens the WebSocket with `?ticket=`, once, within 30 seconds. Where they are,
a ticket only shows anonymous players themselves.

# Errors

An error is a problem document (RFC 9457, `application/problem+json`). Programs go by `code`, which
never changes its meaning; `title` and `detail` are for people. With 429 and 503, `Retry-After` says
in how many seconds to come back.

| code | status | meaning |
|---|---|---|
"""

_REST = """
A request that is not HTTP as it should be gets 400, or 414, 417, 431, 501 or 505 with the name of
the status as the code, such as `expectation_failed` for 417. Any call may be answered so, and by
408, 429 or 503 when its sender is slow or there are too many connections.
"""


def codes() -> dict[str, int]:
    """The stable code of every error that a client can get, with its status."""
    found = {kind.code: kind.status for kind in _kinds(ScoreboardError)}
    return {**found, **{code: status for code, status, *_ in refusals()}}


def chapters() -> str:
    """What is said of the whole API, in Markdown."""
    known = codes()
    rows = sorted((known[code], code, meaning) for code, meaning in MEANINGS.items())
    table = "".join(f"| `{code}` | {status} | {meaning} |\n" for status, code, meaning in rows)
    return _ABOUT + table + _REST


def _kinds(kind: type[ScoreboardError]) -> Iterator[type[ScoreboardError]]:
    inside = kind in (ConfigurationError, BoardCold) or not kind.__module__.startswith(ANSWERED)
    if "code" in vars(kind) and not inside:
        yield kind
    for derived in kind.__subclasses__():
        yield from _kinds(derived)
