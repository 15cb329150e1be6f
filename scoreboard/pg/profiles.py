"""Players' profiles, and the secret from which pseudonyms follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import asyncpg
from msgspec import UNSET, Raw, UnsetType

from scoreboard.domain.erasures import is_erased
from scoreboard.domain.profiles import (
    KnownProfile,
    Player,
    Privacy,
    Profile,
    UserProfile,
)
from scoreboard.pg import profile_changes
from scoreboard.pg.erasures import erased_in
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("profiles")


class StoredProfiles:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def put(self, user: str, profile: Profile) -> KnownProfile:
        """Makes it the user's profile, and returns what is shown of it. If that changed, the boards
        that the user is on are noted. Raises Erased, which the caller's process may not know
        yet."""
        metadata = None if profile.metadata is UNSET else bytes(profile.metadata).decode()
        columns = (profile.display_name, profile.avatar_url, profile.country, profile.visibility)
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if await erased_in(connection, [user]):
                    raise is_erased()
                before = (await _known(connection, _sql["lock"], [user]))[user]
                await connection.execute(_sql["put"], user, *columns, metadata)
                after = (await _known(connection, _sql["known"], [user]))[user]
                if (before.visibility, before.player) != (after.visibility, after.player):
                    listing = "hidden" in (before.visibility, after.visibility)
                    await profile_changes.note(connection, user, listing=listing)
        return after

    async def add(self, profiles: Mapping[str, Profile]) -> list[KnownProfile]:
        """Gives those of these users a profile, with the name and the metadata, who have none and
        were not erased. Returns what is shown now of those who are on boards already, which are
        noted."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                erased = await erased_in(connection, profiles)
                given = {user: one for user, one in profiles.items() if user not in erased}
                names = [one.display_name for one in given.values()]
                metadata = [
                    None if one.metadata is UNSET else bytes(one.metadata).decode()
                    for one in given.values()
                ]
                added = await connection.fetch(_sql["add"], list(given), names, metadata)
                users = [row["user_id"] for row in added]
                there = await connection.fetch(_sql["on_boards"], users)
                known = await _known(connection, _sql["known"], [row["user_id"] for row in there])
                for user in known:
                    await profile_changes.note(connection, user, listing=False)
        return list(known.values())

    async def known(self, users: Collection[str]) -> dict[str, KnownProfile]:
        """What is shown of each of these users, also of those without a profile."""
        with translated():
            return await _known(self._pool, _sql["known"], users)

    async def whole(self, users: Collection[str]) -> dict[str, UserProfile]:
        """The profiles of these users, of those who have one."""
        with translated():
            rows = await self._pool.fetch(_sql["whole"], list(users))
        return {
            row["user_id"]: UserProfile(
                user_id=row["user_id"],
                display_name=_given(row["display_name"]),
                avatar_url=_given(row["avatar_url"]),
                country=_given(row["country"]),
                visibility=row["visibility"],
                metadata=UNSET if row["metadata"] is None else Raw(row["metadata"]),
            )
            for row in rows
        }

    async def privacy(self) -> Privacy:
        """Whether there are profiles, and anybody whom not all may see."""
        with translated():
            return Privacy(*await self._pool.fetchrow(_sql["privacy"]))

    async def secret(self) -> bytes:
        """What only this installation knows."""
        with translated():
            secret = await self._pool.fetchval(_sql["secret"])
            if secret is None:
                await self._pool.execute(_sql["make_secret"])
                secret = await self._pool.fetchval(_sql["secret"])
        return bytes.fromhex(secret)


async def _known(
    connection: Any, statement: str, users: Collection[str]
) -> dict[str, KnownProfile]:
    found = {user: KnownProfile(user) for user in users}
    for user, revision, visibility, *shown in await connection.fetch(statement, list(users)):
        found[user] = KnownProfile(user, revision, visibility, _player(*shown))
    return found


def _player(*shown: str | None) -> Player | None:
    """What is shown of a profile with these; None: nothing."""
    return Player(*map(_given, shown)) if any(shown) else None


def _given(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value
