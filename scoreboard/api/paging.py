"""How clients say which part of a table they want: by a cursor, a rank or a score."""

from __future__ import annotations

import hmac
import struct
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from scoreboard.api.operations import Parameter
from scoreboard.api.parameters import identifier, number
from scoreboard.domain.actions import MAX_ID
from scoreboard.domain.boards import MAX_TOTAL
from scoreboard.domain.stamps import is_stamp
from scoreboard.domain.standings import Place
from scoreboard.errors import InvalidRequest

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100
LAST_RANK = 1_000_000_000
MAX_CURSOR = 750  # characters, sealed and with a user id of 128 characters of four bytes

_SCORE = {"type": "integer", "minimum": -MAX_TOTAL, "maximum": MAX_TOTAL}

LIMIT = Parameter(
    "limit",
    "query",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    "the most users that a page has",
)
AFTER = Parameter(
    "after",
    "query",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": MAX_CURSOR},
    "`next` of the page before: goes on behind its last user",
)
MIN_SCORE = Parameter(
    "minScore",
    "query",
    _SCORE,
    "begins with the first user who has this score or stands below it; not together with `after`",
)
RANK = Parameter(
    "rank",
    "query",
    {"type": "integer", "minimum": 1, "maximum": LAST_RANK},
    "begins with the user of this rank; not together with `after` or `minScore`",
)
SCORE = Parameter("score", "query", _SCORE, required=True)

# The version of cursors, and the zset score of the user whose id follows.
_HEAD = struct.Struct(">Bd")
_VERSION = 1
_SEALED = b"\x02"  # before an encrypted cursor
_LARGEST = "\U0010ffff" * MAX_ID  # no user id is larger
_BLOCK = 32  # bytes; of a sealed user id one learns no more than how many of these it has


def cursor(place: Place) -> str:
    """A text for clients from which the place ``after`` a user is read again."""
    return _text(_HEAD.pack(_VERSION, place.at) + place.user_id.encode())


def sealed_cursor(place: Place, secret: bytes) -> str:
    """The same, of which nobody learns who the user is. A place has one such text, so that the page
    that it is on keeps its ETag."""
    user = place.user_id.encode()
    padded = user.ljust(-(-len(user) // _BLOCK) * _BLOCK, b"\0")  # which no id contains
    packed = _HEAD.pack(_VERSION, place.at) + padded
    return _text(_SEALED + _seal(secret).encrypt(packed, None))


def place_of(
    query: Mapping[str, str], secret: Callable[[], bytes], *, sealed_only: bool = False
) -> Place:
    """Where a page begins; at the top where nothing is said. ``secret`` is asked for a cursor that
    is sealed. With ``sealed_only`` a cursor that is not, as anybody can make one, begins before all
    of the same zset score: else one could ask whether an id is larger than a concealed one, and so
    find that out letter by letter. Raises InvalidRequest."""
    given = [one.name for one in (AFTER, MIN_SCORE, RANK) if one.name in query]
    if len(given) > 1:
        raise InvalidRequest(f"Give one of {' and '.join(given)}.", path=given[-1])
    match given:
        case ["after"]:
            place = _read(query["after"], secret)
            if sealed_only and query["after"] == cursor(place):
                return place._replace(user_id=_LARGEST)
            return place
        case ["minScore"]:
            return Place("score", score_of(query, "minScore"))
        case ["rank"]:
            return Place("rank", number(query["rank"], "rank", least=1, most=LAST_RANK))
    return Place("rank", 1)


def limit_of(query: Mapping[str, str]) -> int:
    """How many users a page has at most. Raises InvalidRequest."""
    return number(query.get("limit", str(DEFAULT_LIMIT)), "limit", least=1, most=MAX_LIMIT)


def score_of(query: Mapping[str, str], name: str) -> int:
    """The score that the parameter ``name`` gives. Raises InvalidRequest."""
    return number(query.get(name, ""), name, least=-MAX_TOTAL, most=MAX_TOTAL)


def _read(text: str, secret: Callable[[], bytes]) -> Place:
    try:
        packed = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if packed.startswith(_SEALED) and _text(packed) == text:
            packed = _seal(secret()).decrypt(packed[1:], None).rstrip(b"\0")
            text = _text(packed)
        version, zset_score = _HEAD.unpack(packed[: _HEAD.size])
        user = packed[_HEAD.size :].decode()
    except (ValueError, struct.error, InvalidTag) as error:
        raise _no_cursor() from error
    place = Place("after", zset_score, identifier(user, "after"))
    if version != _VERSION or not is_stamp(zset_score) or cursor(place) != text:
        raise _no_cursor()
    return place


def _text(packed: bytes) -> str:
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def _seal(secret: bytes) -> AESSIV:
    return AESSIV(hmac.digest(secret, b"cursors", "sha256"))


def _no_cursor() -> InvalidRequest:
    return InvalidRequest("after is no `next` of a page.", path="after")
