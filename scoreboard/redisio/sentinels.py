"""Which server is the master of a service, as its Sentinels know."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from scoreboard.background import end
from scoreboard.redisio.address import VARIABLE, Address, Place
from scoreboard.redisio.connections import ask_once
from scoreboard.redisio.refusals import Refused, Server, WrongForm

PATIENCE = 1.0  # seconds for which a Sentinel is waited for

_UNKNOWN_TO_THEM = frozenset(("NOAUTH", "WRONGPASS", "NOPERM"))

_State = dict[str, str]
_AWAY = (RedisError, OSError, TimeoutError)


class SentinelService(Server):
    """The server that Sentinels name now. All are asked, and of what most of them answer the latest
    counts: one that was cut off still names the master of before. ``address`` is of Sentinels."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address
        self._asking: asyncio.Task[Place] | None = None
        self.named: Place | None = None  # what was answered last
        self.replicas: int | None = None  # how many it has, as far as they say

    async def place(self) -> Place:
        """Where the master is. Connections that are made at the same time ask once. Raises
        redis-py's ConnectionError when no Sentinel answers, or none knows a master that is up, and
        WrongForm when they do not know the service or us, or are no Sentinels."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(_noted)
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Asks nobody any more."""
        if self._asking is not None:
            await end(self._asking)

    async def look_again(self) -> None:
        """Asks, so that all connections are dated when another server is master by now. A master
        that was replaced and has not heard of it would go on taking writes, all of which get
        lost."""
        if self._asking is not None and not self._asking.done():
            await asyncio.wait([self._asking])  # it may have been answered before this was asked
        with suppress(*_AWAY):
            await self.place()

    async def _ask(self) -> Place:
        places = self._address.places
        asked = [asyncio.create_task(self._state(place)) for place in places]
        states: list[_State] = []
        problems: list[Exception] = []
        try:
            for told in asyncio.as_completed(asked):
                try:
                    states.append(await told)
                except _AWAY as error:
                    problems.append(error)
                if len(states) > len(places) // 2:
                    break
        finally:
            await end(*asked)
        up = [state for state in states if _is_up(state["flags"].split(","))]
        if up:
            latest = max(up, key=lambda state: int(state["config-epoch"]))
            place = latest["ip"], int(latest["port"])
            if self.named not in (None, place):
                self.renew()  # those that were made before lead to the master of before
            self.named = place
            self.replicas = int(latest.get("num-slaves", 0))
            return place
        for problem in problems:
            if isinstance(problem, ResponseError) or (
                isinstance(problem, Refused) and problem.word in _UNKNOWN_TO_THEM
            ):
                raise WrongForm(_wrong(problem), str(problem)) from problem
        if states:
            raise RedisConnectionError("no Sentinel knows a master that is up")
        raise RedisConnectionError("no Sentinel answers") from problems[0]

    async def _state(self, place: Place) -> _State:
        options = {**self._address.of_sentinels, "host": place[0], "port": place[1]}
        command = "SENTINEL", "MASTER", self._address.service
        told: list[bytes] = await ask_once(options, *command, timeout=PATIENCE)
        texts = [text.decode() for text in told]
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _is_up(flags: list[str]) -> bool:
    return "master" in flags and "o_down" not in flags


def _noted(asking: asyncio.Task[Place]) -> None:
    """Whoever asked may have gone; its error is then of no interest."""
    if not asking.cancelled():
        asking.exception()


def _wrong(error: RedisError) -> str:
    if isinstance(error, Refused):
        return (
            f"{VARIABLE}: the Sentinels refuse us; their user and password are "
            "?sentinel_username= and &sentinel_password="
        )
    if "No such master" in str(error):
        return f"{VARIABLE}: the Sentinels know no service of this name."
    return f"{VARIABLE} names Sentinels, but what answers there is none."
