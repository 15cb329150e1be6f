"""Players' profiles: set by game servers and by the players themselves, read by whoever may."""

from __future__ import annotations

import msgspec
from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import ONE_ACTION, USER_LIST, Bodies, decode
from scoreboard.api.pace import Pace
from scoreboard.api.parameters import identifier
from scoreboard.api.players.erased import ErasedPlayers
from scoreboard.api.players.memory import ProfileMemory
from scoreboard.api.players.ports import ProfileReader, ProfileWriter
from scoreboard.api.principals import Principal
from scoreboard.api.tokens import BOARD_READ, SCORE_WRITE
from scoreboard.api.written import for_caller
from scoreboard.domain.actions import UserList
from scoreboard.domain.boards import Rate
from scoreboard.domain.profiles import Profile, UserProfile
from scoreboard.errors import Forbidden, RateLimited, Unauthorized, UnknownProfile

_profile = msgspec.json.Decoder(Profile)
_user_list = msgspec.json.Decoder(UserList)

# How often a player may leave the lists or come back: final tables are ranked anew by it.
_LISTING = Rate(6, 360)


class ProfileList(msgspec.Struct, frozen=True):
    """The profiles of the listed users who have one that the caller may see, in the order of the
    list, and the ids of the others."""

    users: list[UserProfile]
    missing: list[str]


class ProfileHandlers:
    """``player_pace`` is that of players' own tokens by subject."""

    def __init__(
        self,
        writer: ProfileWriter,
        reader: ProfileReader,
        memory: ProfileMemory,
        authenticator: Authenticator,
        bodies: Bodies,
        erased: ErasedPlayers,
        *,
        player_pace: Pace,
        public_reads: bool,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._memory = memory
        self._authenticator = authenticator
        self._bodies = bodies
        self._erased = erased
        self._player_pace = player_pace
        self._listing_pace = Pace(_LISTING)
        self._public = public_reads

    async def put(self, request: web.Request) -> web.Response:
        """Makes the body a user's profile: the token's own, or with score:write any."""
        principal = await self._authenticator.authenticate(request)
        user = _user(request)
        if not principal.may_speak_for(user):
            raise Forbidden("The token does not allow changing this user's profile.")
        self._erased.check(user)
        if not principal.has(SCORE_WRITE) and (wait := self._player_pace.wait(principal.subject)):
            raise RateLimited(
                "This player's own token may make no further call yet.", retry_after=wait
            )
        profile = decode(_profile, await self._bodies.read(request, most=ONE_ACTION))
        if not principal.has(SCORE_WRITE):
            await self._check_pace_of_listing(user, profile)
        self._memory.add(await self._writer.put(user, profile))
        return for_caller((await self._reader.whole([user]))[user])

    async def _check_pace_of_listing(self, user: str, profile: Profile) -> None:
        before = (await self._reader.whole([user])).get(user)
        was_hidden = before is not None and before.visibility == "hidden"
        if was_hidden is (profile.visibility == "hidden"):
            return
        if wait := self._listing_pace.wait(user):
            raise RateLimited("This player was hidden or shown too often.", retry_after=wait)

    async def get(self, request: web.Request) -> web.Response:
        """A user's profile."""
        principal = await self._caller(request)
        user = _user(request)
        found = (await self._reader.whole([user])).get(user)
        if found is None or not _may_see(principal, found):
            raise UnknownProfile("The user has no profile.")
        return for_caller(found)

    async def lookup(self, request: web.Request) -> web.Response:
        """The profiles of up to 500 listed users."""
        principal = await self._caller(request)
        body = await self._bodies.read(request, most=USER_LIST)
        users = list(dict.fromkeys(decode(_user_list, body).user_ids))
        found = await self._reader.whole(users)
        shown = {user: one for user, one in found.items() if _may_see(principal, one)}
        return for_caller(
            ProfileList(
                [shown[user] for user in users if user in shown],
                [user for user in users if user not in shown],
            )
        )

    async def _caller(self, request: web.Request) -> Principal | None:
        """Who reads; None for a stranger, while reads are public. Raises Unauthorized,
        Forbidden."""
        try:
            principal = await self._authenticator.authenticate(request)
        except Unauthorized:
            if not self._public or "Authorization" in request.headers:
                raise
            return None
        user = request.match_info.get("user")
        if not (
            self._public
            or principal.has(BOARD_READ)
            or principal.sees_everybody()
            or (user is not None and principal.may_speak_for(user))
        ):
            raise Forbidden("The token does not allow reading profiles.")
        return principal


def _may_see(principal: Principal | None, profile: UserProfile) -> bool:
    return profile.visibility == "public" or (
        principal is not None
        and (principal.sees_everybody() or principal.may_speak_for(profile.user_id))
    )


def _user(request: web.Request) -> str:
    return identifier(request.match_info["user"], "userId")
