"""Which trained model judges which board. Models are trained by a command, or by the persister."""

from __future__ import annotations

import msgspec
from aiohttp import web

from scoreboard.api.admin import MAX_ID
from scoreboard.api.auth import Authenticator
from scoreboard.api.parameters import number
from scoreboard.api.ports import ModelRecord
from scoreboard.api.written import for_caller
from scoreboard.domain.gate_models import GateModel
from scoreboard.errors import Forbidden, InvalidRequest, NotFound


class GateModels(msgspec.Struct, frozen=True):
    """The newest hundred models, newest first."""

    models: list[GateModel]


class ModelHandlers:
    """The calls about models."""

    def __init__(self, models: ModelRecord, authenticator: Authenticator) -> None:
        self._models = models
        self._authenticator = authenticator

    async def list(self, request: web.Request) -> web.Response:
        """The newest models, with what was measured of each. A token for some boards sees those
        that judge these: their own, and the ones for all boards."""
        principal = await self._authenticator.administrator(request)
        return for_caller(GateModels(await self._models.list(principal.boards)))

    async def activate(self, request: web.Request) -> web.Response:
        """Puts a model in force."""
        version, by = await self._chosen(request)
        return for_caller(await self._models.activate(version, by=by))

    async def hold_back(self, request: web.Request) -> web.Response:
        """Takes a model out of force."""
        version, by = await self._chosen(request)
        return for_caller(await self._models.hold_back(version, by=by))

    async def _chosen(self, request: web.Request) -> tuple[int, str]:
        """The model that the caller may choose for its boards, and who that is."""
        principal = await self._authenticator.administrator(request)
        try:
            version = number(request.match_info["version"], "version", least=1, most=MAX_ID)
        except InvalidRequest:
            raise NotFound("There is no such model.") from None
        board = await self._models.board_of(version)
        if not (principal.may_moderate(board) if board else principal.boards is None):
            raise Forbidden("The token does not allow choosing the model of these boards.")
        return version, principal.subject
