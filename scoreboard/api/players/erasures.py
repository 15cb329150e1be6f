"""The right to be forgotten, and to know: erasing players, and all that is held about one."""

from __future__ import annotations

import asyncio

from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.api.parameters import choice, identifier
from scoreboard.api.players.erased import ErasedPlayers
from scoreboard.api.players.ports import ErasureReader, MemoryReader, PlayerEraser, PlayerReader
from scoreboard.api.principals import Principal
from scoreboard.api.problems import HEADERS
from scoreboard.api.tokens import ADMIN, SCORE_WRITE
from scoreboard.api.written import for_caller
from scoreboard.domain.erasures import MODES
from scoreboard.errors import Forbidden, NotFound, Unavailable
from scoreboard.telemetry import metrics

MOST = 2  # exports of a process at once
PATIENCE = 600.0  # seconds that a client may take for all of it


class ErasureHandlers:
    """The calls about what is held of players on all boards. A token for some boards only can't
    make them."""

    def __init__(
        self,
        eraser: PlayerEraser,
        erasures: ErasureReader,
        erased: ErasedPlayers,
        data: PlayerReader,
        memories: MemoryReader,
        authenticator: Authenticator,
    ) -> None:
        self._eraser = eraser
        self._erasures = erasures
        self._erased = erased
        self._data = data
        self._memories = memories
        self._authenticator = authenticator
        self._running = 0

    async def erase(self, request: web.Request) -> web.Response:
        """Begins to erase a player, or to make one anonymous."""
        principal = await self._authenticator.authenticate(request)
        _require(principal, ADMIN)
        user = _user(request)
        mode = choice(request.query.get("mode"), MODES, "mode") or "erase"
        erasure = await self._eraser.ask(user, mode, by=principal.subject)
        await self._erased.refresh()
        return for_caller(erasure, status=202, location=f"/api/erasures/{erasure.erasure}")

    async def get(self, request: web.Request) -> web.Response:
        """The receipt of an erasure."""
        _require(await self._authenticator.authenticate(request), ADMIN)
        name = identifier(request.match_info["erasure"], "erasure")
        return for_caller(await self._erasures.get(name))

    async def admit(self, request: web.Request) -> web.Response:
        """Lets an erased player's id be a new player's."""
        principal = await self._authenticator.authenticate(request)
        _require(principal, ADMIN, SCORE_WRITE)
        if not await self._eraser.admit(_user(request), by=principal.subject):
            raise NotFound("No player of this id was erased.")
        await self._erased.refresh()
        return web.Response(status=204)

    async def export(self, request: web.Request) -> web.StreamResponse:
        """All that is held about a player."""
        principal = await self._authenticator.authenticate(request)
        user = _user(request)
        if not principal.is_player(user):
            _require(principal, ADMIN)
        if self._running >= MOST:
            metrics.limits.labels("exports").inc()
            raise Unavailable("Enough exports are running; one more can wait.", retry_after=10)
        self._running += 1
        try:
            async with self._data.open(user) as snapshot:
                memories = {
                    board: await self._memories.memory(board, user)
                    for board in await snapshot.boards()
                }
                response = web.StreamResponse(
                    headers={
                        **HEADERS,
                        "Content-Type": "application/json",
                        "Content-Disposition": 'attachment; filename="player.json"',
                        "Cache-Control": "no-store",
                    }
                )
                await response.prepare(request)
                if request.method == "HEAD":
                    return response
                async with asyncio.timeout(PATIENCE):
                    async for part in snapshot.json(memories.get):
                        await response.write(part)
                    await response.write_eof()
                return response
        finally:
            self._running -= 1


def _require(principal: Principal, *scopes: str) -> None:
    if not any(principal.has(scope) for scope in scopes):
        raise Forbidden(f"The token lacks the scope {' or '.join(scopes)}.")
    if principal.boards is not None:
        raise Forbidden("A token for some boards only can't do this: it concerns all boards.")


def _user(request: web.Request) -> str:
    return identifier(request.match_info["user"], "user")
