"""Who judges users' weeks in a persister, by the models in force."""

from __future__ import annotations

import asyncio

from scoreboard.pg.models import Models
from scoreboard.workers.week_ports import WeekJudge


class WeekJudges:
    """Keeps the judge of the model that was asked for last. Loads nothing, not even numpy, before
    the first week is judged."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._built: tuple[int, WeekJudge] | None = None  # with its model's version

    async def judge(self, board: str) -> WeekJudge | None:
        """That of the board's model, or of the one for all boards; None without either. Raises
        Unavailable, and UnusableModel."""
        active = await self._models.active()
        version = active.get(board, active.get(""))
        if version is None:
            return None
        if self._built is None or self._built[0] != version:
            content = await self._models.content(version)
            self._built = version, await asyncio.to_thread(_build, content)
        return self._built[1]


def _build(content: bytes) -> WeekJudge:
    # Imported here, so that processes without a gate do not load numpy.
    from scoreboard.anomaly.model import Model
    from scoreboard.anomaly.weekly import WeekJudge as Judge

    return Judge(Model.from_bytes(content))
