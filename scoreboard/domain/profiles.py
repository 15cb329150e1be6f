"""What players say of themselves, and how much of it others see."""

from __future__ import annotations

import hmac
import re
import unicodedata
from base64 import b32encode
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from scoreboard.domain.countries import COUNTRIES
from scoreboard.domain.flaws import FieldFlaw
from scoreboard.domain.identifiers import is_unseen

MAX_NAME = 40  # characters
MAX_AVATAR = 512  # bytes
MAX_METADATA = 1024  # bytes
MAX_DEPTH = 16  # levels of metadata
LETTERS = 12  # of a pseudonym
MAX_MARKS = 4  # on one letter; no script needs more, and more of them leave their line

Visibility = Literal["public", "anonymous", "hidden"]

# RFC 3986, of a host in ASCII and without a user's name.
_ADDRESS = re.compile(
    r"https://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?"
)


class Player(msgspec.Struct, frozen=True, rename="camel"):
    """What a player shows beside a score; what was not given is left out. The name is any text: it
    has to be escaped where it is shown, and isolated from text of the other direction."""

    display_name: str | UnsetType = UNSET
    avatar_url: str | UnsetType = UNSET
    country: str | UnsetType = UNSET


class Profile(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """A player's profile. The name is trimmed and brought into the Unicode form NFC, and then has 1
    to 40 characters, all of which can be seen; ``avatarUrl`` is an https address of at most 512
    bytes; ``country`` one of ISO 3166-1, in two letters. With the visibility ``anonymous`` others
    see a pseudonym and nothing of this, with ``hidden`` they do not see the player at all.
    ``metadata`` is a JSON object of at most 1,024 bytes, given back as it is."""

    display_name: Annotated[str, Meta(max_length=1024, examples=["Ada"])] | None = None
    avatar_url: (
        Annotated[str, Meta(max_length=MAX_AVATAR, examples=["https://img.example.org/ada.png"])]
        | None
    ) = None
    country: Annotated[str, Meta(min_length=2, max_length=2, examples=["FR"])] | None = None
    visibility: Visibility = "public"
    metadata: Annotated[Raw, Meta(extra_json_schema={"type": "object"})] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.display_name is not None:
            msgspec.structs.force_setattr(self, "display_name", _name(self.display_name))
        if self.avatar_url is not None and not _ADDRESS.fullmatch(self.avatar_url):
            raise FieldFlaw("Not an https address in ASCII", field="avatarUrl")
        if self.country is not None and self.country not in COUNTRIES:
            raise FieldFlaw("Not a country of ISO 3166-1 in two capitals", field="country")
        if self.metadata is not UNSET:
            _check_metadata(bytes(self.metadata))
            # Else the whole body would be kept for its sake.
            msgspec.structs.force_setattr(self, "metadata", self.metadata.copy())


class UserProfile(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A user's profile, as it is kept; what was not given is left out."""

    user_id: str
    display_name: str | UnsetType = UNSET
    avatar_url: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    visibility: Visibility
    metadata: Annotated[Raw, Meta(extra_json_schema={"type": "object"})] | UnsetType = UNSET


class KnownProfile(msgspec.Struct, frozen=True):
    """What is shown of a user and to whom. ``revision`` grows with every change of the user's
    profile; 0: there is none."""

    user_id: str
    revision: int = 0
    visibility: Visibility = "public"
    player: Player | None = None


class ProfileChange(NamedTuple):
    """A board that is still to be brought in line with a user's profile, as was asked for at a
    moment; ``listing``: also in whether the user is on its lists."""

    board: str
    user_id: str
    asked: datetime
    listing: bool


class Privacy(NamedTuple):
    """What there is in an installation: any profile at all, and any player who is anonymous or
    hidden."""

    profiles: bool = False
    private: bool = False


def pseudonym(secret: bytes, board: str, user: str) -> str:
    """What stands for an anonymous user on a board. It can't be led back to the user without the
    installation's secret, nor to what stands for the user on another board."""
    digest = hmac.digest(secret, f"{board}\0{user}".encode(), "sha256")
    return f"anonymous-{b32encode(digest).decode()[:LETTERS].lower()}"


def _name(given: str) -> str:
    name = unicodedata.normalize("NFC", given.strip())
    if not 1 <= len(name) <= MAX_NAME:
        raise FieldFlaw(f"A name has 1 to {MAX_NAME} characters", field="displayName")
    marks = MAX_MARKS  # so that the first character has to be one that can bear them
    for character in name:
        if is_unseen(character) or (character != " " and character.isspace()):
            code = f"U+{ord(character):04X}"
            raise FieldFlaw(f"A name can't have {code}, which can't be seen", field="displayName")
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if marks > MAX_MARKS:
            raise FieldFlaw("Too many marks on one letter of the name", field="displayName")
    return name


def _check_metadata(text: bytes) -> None:
    if len(text) > MAX_METADATA:
        raise FieldFlaw(f"At most {MAX_METADATA:,} bytes", field="metadata")
    if not text.startswith(b"{"):
        raise FieldFlaw("Expected an object", field="metadata")
    try:
        value = msgspec.json.decode(text)
    except (RecursionError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FieldFlaw("Not valid JSON, or nested too deeply", field="metadata") from error
    if _is_deeper(value, MAX_DEPTH):
        raise FieldFlaw(f"Nested in more than {MAX_DEPTH} levels", field="metadata")


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)
