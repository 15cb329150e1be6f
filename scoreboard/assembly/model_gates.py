"""The gates of a serving process, which follow the models in force without a restart."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.domain.judging import Gate
from scoreboard.errors import ScoreboardError, Unavailable
from scoreboard.pg.models import Models

log = structlog.get_logger(__name__)

_Pair = tuple[Gate, Gate]  # for live boards, and for a replay of history

POLL = 5.0  # seconds between two looks at which model is in force


class ModelGates:
    """A gate for each model in force, and one for boards without a model. Loads nothing, not even
    numpy, before the first post to a board whose gate is on."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._active: dict[str, int] | None = None
        self._gates: dict[int | None, _Pair] = {}
        self._loading = asyncio.Lock()

    @property
    def state(self) -> dict[str, object]:
        """The models in force by board, for /readyz; '' stands for all boards without their own."""
        if self._active is None:
            return {"used": False}
        return {"used": True, "models": self._active, "learning": "" not in self._active}

    async def gate(self, board: str, *, allow_history: bool) -> Gate:
        """The board's gate. Raises Unavailable until Postgres has said once which models are in
        force."""
        if self._active is None:
            async with self._loading:
                if self._active is None:
                    await self._change_over(await self._models.active())
        assert self._active is not None
        version = self._active.get(board, self._active.get(""))
        return self._gates[version][allow_history]

    async def run(self) -> None:
        """Follows the models in force until cancelled; while Postgres is away the last known ones
        stay in force."""
        while True:
            await asyncio.sleep(POLL)
            if self._active is None:
                continue
            try:
                active = await self._models.active()
                if active != self._active:
                    await self._change_over(active)
            except Unavailable:
                continue
            except ScoreboardError as error:
                log.error("model_unusable", reason=error.detail)

    async def _change_over(self, active: dict[str, int]) -> None:
        gates: dict[int | None, _Pair] = {}
        for version in {None, *active.values()}:
            known = self._gates.get(version)
            if known is None:
                content = None if version is None else await self._models.content(version)
                known = await asyncio.to_thread(_build, content)
            gates[version] = known
        self._gates, self._active = gates, active
        log.info("models_in_force", models=active)


def _build(content: bytes | None) -> _Pair:
    # Imported here, so that processes without a gate do not load numpy.
    from scoreboard.anomaly.gate import Gate as AnomalyGate
    from scoreboard.anomaly.model import Model
    from scoreboard.anomaly.rules import GateRules

    model = None if content is None else Model.from_bytes(content)
    return AnomalyGate(model), AnomalyGate(model, GateRules(max_age_ms=None))
