"""What a process remembers of profiles, so that reads and the relay seldom ask Postgres.

Changes are told over Redis. Since that may lose some, what is remembered is looked up again after a
while, and forgotten when the connection was lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from scoreboard.api.players.ports import KnownProfiles, PrivacyCopy
from scoreboard.backoff import Backoff
from scoreboard.domain.profiles import KnownProfile, Privacy
from scoreboard.errors import ScoreboardError, Unavailable, cause_of
from scoreboard.wire.profiles import decode_profile

log = structlog.get_logger(__name__)

FRESH = 60.0  # seconds after which a profile is looked up again
REREAD = 10.0  # seconds between two looks whether there are profiles at all, or private ones
PATIENCE = 1.0  # seconds that a read waits for the first of these looks
PAUSE = 1.0  # seconds for which Postgres is not asked for profiles again, once it was away
GLANCE = 0.25  # seconds that a read waits for it then

_Entry = tuple[float, KnownProfile]  # when it was read, and what


class ProfileMemory:
    """Remembers at least ``most`` users, and at most twice as many, also that they have no profile.
    ``run`` works until it is cancelled. ``clock`` in seconds."""

    def __init__(
        self,
        reader: KnownProfiles,
        copy: PrivacyCopy,
        *,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._copy = copy
        self._clock = clock
        self._privacy: Privacy | None = None  # None: not known yet
        self._told = Privacy()  # what follows from news
        self._secret: bytes | None = None
        self._known = asyncio.Event()
        self._stale = asyncio.Event()
        # Two generations instead of a true LRU, as for tokens.
        self._young: dict[str, _Entry] = {}
        self._old: dict[str, _Entry] = {}
        self._generation = max(1, most)
        self._losses = 0  # how often all was forgotten
        self._news = 0
        self._looks: set[asyncio.Task[Mapping[str, KnownProfile]]] = set()
        self._away, self._away_until = False, 0.0

    @property
    def needed(self) -> bool:
        """False while it is known that nobody has a profile, so that nothing has to be looked
        up."""
        return self._privacy is None or self._privacy.profiles

    @property
    def news(self) -> int:
        """Grows when a profile may have changed."""
        return self._news

    @property
    def private(self) -> bool:
        """False while it is known that nobody is anonymous or hidden."""
        return self._privacy is None or self._privacy.private

    @property
    def secret(self) -> bytes:
        """What only this installation knows. Raises Unavailable until it was read."""
        if self._secret is None:
            raise Unavailable("Pseudonyms can't be made now.")
        return self._secret

    async def state(self) -> Mapping[str, Any]:
        """For /readyz. Raises Unavailable until it is known whom all may see."""
        if self._privacy is None:
            await self._wait()
        return {"remembered": len(self._young) + len(self._old)}

    async def run(self) -> None:
        """Keeps up with whether there are profiles, and anybody who is anonymous or hidden. That
        only grows: a look that was overtaken by news must not undo it."""
        backoff: Backoff | None = None
        while True:
            self._stale.clear()
            try:
                found = await self._reader.privacy()
                self._secret = await self._reader.secret()
            except Exception as error:
                if backoff is None:
                    known = isinstance(error, ScoreboardError)
                    log.warning(
                        "profiles_not_read",
                        reason=str(error),
                        cause=cause_of(error),
                        exc_info=not known,
                    )
                    backoff = Backoff()
                await self._read_copy()
                await asyncio.sleep(backoff.next())
                continue
            if backoff is not None:
                log.info("profiles_read_again")
                backoff = None
            self._note(found)
            await self._keep_copy(found)
            try:
                async with asyncio.timeout(REREAD):
                    await self._stale.wait()
            except TimeoutError:
                pass

    async def has_private(self) -> bool:
        """Whether anybody is anonymous or hidden. Raises Unavailable when that is not known."""
        if self._privacy is None:
            await self._wait()
        return self.private

    async def of(self, users: Iterable[str]) -> Mapping[str, KnownProfile]:
        """What is shown of each of these users. While Postgres is away, those who are not
        remembered are missing; raises Unavailable then if they may be anonymous or hidden."""
        if self._privacy is None:
            await self._wait()
        if not self.needed:
            return {}
        wanted = set(users)
        found = {user: entry for user in wanted if (entry := self._entry(user)) is not None}
        latest = self._clock() - FRESH
        unknown = [
            user for user in wanted if (known := found.get(user)) is None or known[0] < latest
        ]
        read: Mapping[str, KnownProfile] = {}
        if unknown:
            try:
                read = await self._look_up(unknown)
            except Unavailable:
                if self.private and len(found) < len(wanted):
                    raise
        return {**{user: known for user, (_, known) in found.items()}, **read}

    def remembered(self, users: Iterable[str]) -> Mapping[str, KnownProfile] | None:
        """The same without waiting; None when some have to be looked up first."""
        if self._privacy is None:
            return None
        latest = self._clock() - FRESH
        found = {}
        for user in users:
            entry = self._entry(user)
            if entry is None or entry[0] < latest:
                return None
            found[user] = entry[1]
        return found

    def learn(self, text: bytes) -> None:
        """Takes news of a profile, as it comes over Redis."""
        try:
            known = decode_profile(text)
        except msgspec.DecodeError as error:
            log.error("profile_unreadable", error=str(error))
            self.forget()
            return
        self.add(known)

    def add(self, known: KnownProfile) -> None:
        """Takes what is known of a profile, unless something newer is."""
        self._news += 1
        self._note(Privacy(profiles=True, private=known.visibility != "public"), news=True)
        self._remember(known)

    def forget(self) -> None:
        """Forgets all profiles: some news may have been lost."""
        self._young, self._old = {}, {}
        self._losses += 1
        self._news += 1
        self._stale.set()

    async def _look_up(self, users: list[str]) -> Mapping[str, KnownProfile]:
        if self._clock() < self._away_until:
            raise Unavailable("Profiles can't be read now.")
        look = asyncio.create_task(self._read(users))
        self._looks.add(look)
        look.add_done_callback(self._read_for_nobody)
        # Boards are read without Postgres, so not every read waits for one that is silent. The look
        # goes on: what it finds is remembered.
        done, _ = await asyncio.wait((look,), timeout=GLANCE if self._away else None)
        try:
            if not done:
                raise Unavailable("Profiles can't be read now.")
            return look.result()
        except Unavailable:
            self._away, self._away_until = True, self._clock() + PAUSE
            raise

    def _read_for_nobody(self, look: asyncio.Task[Mapping[str, KnownProfile]]) -> None:
        self._looks.discard(look)
        if not look.cancelled():
            look.exception()  # whoever waits has it too

    async def _read(self, users: list[str]) -> Mapping[str, KnownProfile]:
        losses = self._losses
        read = await self._reader.known(users)
        self._away = False
        if losses != self._losses:  # what was read may be older than what was lost
            return read
        return {user: self._remember(known) for user, known in read.items()}

    def _entry(self, user: str) -> _Entry | None:
        entry = self._young.get(user)
        if entry is None and (entry := self._old.get(user)) is not None:
            self._keep(user, entry)
        return entry

    def _remember(self, known: KnownProfile) -> KnownProfile:
        """Keeps it unless something newer was told meanwhile; what is known then."""
        before = self._entry(known.user_id)
        if before is not None and before[1].revision > known.revision:
            return before[1]
        self._keep(known.user_id, (self._clock(), known))
        return known

    def _keep(self, user: str, entry: _Entry) -> None:
        if user not in self._young and len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[user] = entry

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._known.wait()
        except TimeoutError:
            raise Unavailable("It is not known yet whom all may see.") from None

    def _note(self, privacy: Privacy, *, news: bool = False) -> None:
        """News alone do not say that there is nothing else."""
        self._told = Privacy(*map(max, self._told, privacy))
        if self._privacy is not None or not news:
            self._privacy = self._told
            self._known.set()

    async def _read_copy(self) -> None:
        if self._privacy is None:
            try:
                found = await self._copy.privacy()
            except Unavailable:
                return
            if found is not None:
                self._note(found)

    async def _keep_copy(self, found: Privacy) -> None:
        with suppress(Unavailable):
            await self._copy.keep(found)
