"""The gates of a serving process, which follow the models in force without a restart."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from itertools import islice

import structlog

from scoreboard.errors import ScoreboardError, Unavailable
from scoreboard.pg.models import Models
from scoreboard.write_path.ports import Gate

log = structlog.get_logger(__name__)

_Pair = tuple[Gate, Gate]  # for live boards, and for a replay of history

MOST_SHOWN = 20  # models in /readyz
POLL = 5.0  # seconds between two looks at which model is in force
LOAD_AGAIN = 1.0  # seconds after a load that failed until posts try again
# What numpy says once its import has broken off: it can't be had in this process any more.
ONLY_ONCE = "cannot load module more than once per process"


class ModelGates:
    """A gate for each model in force, and one for boards without a model. Loads nothing, not even
    numpy, before the first post to a board whose gate is on."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._active: dict[str, int] | None = None
        self._built: dict[int | None, _Pair] = {}  # by the model's version
        self._gates: dict[str, _Pair] = {}  # by the board that the model is for; '' for all others
        self._loading = asyncio.Lock()
        self._trouble: Unavailable | None = None  # why the latest load failed
        self._failed_at = 0.0  # loop time

    @property
    def state(self) -> dict[str, object]:
        """The models in force by board, for /readyz; '' stands for all boards without their own.
        Of many boards some are shown, with the number of all. Raises Unavailable when the latest
        load failed."""
        if self._trouble is not None:
            raise Unavailable(self._trouble.detail)
        if self._active is None:
            return {"used": False}
        return {
            "used": True,
            "models": dict(islice(self._active.items(), MOST_SHOWN)),
            "boards": len(self._active),
            "learning": "" not in self._active,
        }

    async def gate(self, board: str, *, allow_history: bool) -> Gate:
        """The board's gate. Raises Unavailable until Postgres has said once which models are in
        force and they could be loaded, and for a board whose model this version can't use."""
        if self._active is None:
            async with self._loading:
                if self._active is None:
                    self._check_pause()
                    await self._change_over(await self._models.active())
        assert self._active is not None
        pair = self._gates.get(board if board in self._active else "")
        if pair is None:
            raise Unavailable("The model of this board can't be used; the log says why.")
        return pair[allow_history]

    async def run(self) -> None:
        """Follows the models in force until cancelled; while Postgres is away the last known ones
        stay in force. A first load that failed is made up for, also when nobody posts."""
        while True:
            await asyncio.sleep(POLL)
            if self._active is None and self._trouble is None:
                continue
            with suppress(Unavailable):
                async with self._loading:
                    active = await self._models.active()
                    if active != self._active:
                        await self._change_over(active)

    async def _change_over(self, active: dict[str, int]) -> None:
        in_force: dict[str, int | None] = {"": None, **active}
        built: dict[int | None, _Pair] = {}
        for version in {*in_force.values()}:
            try:
                built[version] = self._built.get(version) or await self._build(version)
            except Unavailable:
                raise
            except ScoreboardError as error:
                log.error(
                    "model_unusable",
                    version=version,
                    reason=error.detail,
                    effect="its boards keep the model they had; without one they take no actions",
                )
        self._gates = {
            board: pair
            for board, version in in_force.items()
            if (pair := built.get(version) or self._gates.get(board))
        }
        self._built, self._active = built, active
        log.info("models_in_force", models=active)

    def _check_pause(self) -> None:
        """Raises Unavailable when a load has just failed: not every post is to try again."""
        now = asyncio.get_running_loop().time()
        if self._trouble is not None and now < self._failed_at + LOAD_AGAIN:
            raise Unavailable(self._trouble.detail)

    async def _build(self, version: int | None) -> _Pair:
        content = None if version is None else await self._models.content(version)
        try:
            built = await asyncio.to_thread(_build, content)
        except ScoreboardError:
            raise
        except Exception as error:  # without memory, importing numpy fails in many ways
            self._failed_at = asyncio.get_running_loop().time()
            if ONLY_ONCE in str(error):
                log.critical(
                    "gate_lost",
                    cause="numpy's import broke off, probably for want of memory",
                    effect="this process ends, so that another takes its place",
                )
                signal.raise_signal(signal.SIGTERM)
            elif self._trouble is None:
                log.exception(
                    "gate_not_loaded",
                    effect="boards with a gate take no actions, or keep the model they had",
                    remedy="it is tried again; if it lasts, give the process memory and restart it",
                )
            self._trouble = Unavailable("The gate can't be loaded now; the log says why.")
            raise self._trouble from error
        self._trouble = None
        return built


def _build(content: bytes | None) -> _Pair:
    # Imported here, so that processes without a gate do not load numpy.
    from scoreboard.anomaly.gate import Gate as AnomalyGate
    from scoreboard.anomaly.model import Model
    from scoreboard.anomaly.rules import GateRules

    model = None if content is None else Model.from_bytes(content)
    return AnomalyGate(model), AnomalyGate(model, GateRules(max_age_ms=None))
