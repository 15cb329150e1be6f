"""Trained models, one row each; of every board at most one is in force."""

from __future__ import annotations

import builtins
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.gate_models import Activated, GateModel, HeldBack
from scoreboard.domain.moments import moment_of
from scoreboard.errors import NotFound
from scoreboard.pg import admin_audit
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("models")


class Models:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def active(self) -> dict[str, int]:
        """The versions in force, by board; '' stands for all boards without their own model."""
        with translated():
            return dict(await self._pool.fetch(_sql["active"]))

    async def content(self, version: int) -> bytes:
        """The model itself. Raises NotFound."""
        with translated():
            content: bytes | None = await self._pool.fetchval(_sql["content"], version)
        if content is None:
            raise _no_such(version)
        return content

    async def add(
        self,
        board: str,
        content: bytes,
        *,
        first_ms: int,
        last_ms: int,
        false_alarm_rate: float,
        quality: dict[str, Any],
    ) -> int:
        """Stores a model without putting it in force and returns its version. The window of its
        training actions is in Unix milliseconds."""
        with translated():
            version: int = await self._pool.fetchval(
                _sql["add"],
                board,
                first_ms,
                last_ms,
                false_alarm_rate,
                msgspec.json.encode(quality).decode(),
                content,
            )
        return version

    async def board_of(self, version: int) -> str:
        """The board that the model is for; '' for all without one of their own. Raises NotFound."""
        with translated():
            board: str | None = await self._pool.fetchval(_sql["board_of"], version)
        if board is None:
            raise _no_such(version)
        return board

    async def activate(self, version: int, *, by: str) -> Activated:
        """Puts a model in force; running servers change over by themselves. Raises NotFound."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["turn"], version)
                replaced: int | None = await connection.fetchval(_sql["deactivate"], version)
                board: str | None = await connection.fetchval(_sql["activate"], version)
                if board is None:
                    raise _no_such(version)
                await admin_audit.record(
                    connection,
                    "model_activated",
                    by=by,
                    board=board or None,
                    details=msgspec.json.encode({"model": version, "replaced": replaced}).decode(),
                )
        return Activated(version, board, replaced)

    async def hold_back(self, version: int, *, by: str) -> HeldBack:
        """Takes a model out of force, if it is; running servers change over by themselves. Raises
        NotFound."""
        board = await self.board_of(version)
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchval(_sql["hold_back"], version) is not None:
                    await admin_audit.record(
                        connection,
                        "model_held_back",
                        by=by,
                        board=board or None,
                        details=msgspec.json.encode({"model": version}).decode(),
                    )
        active = await self.active()
        return HeldBack(version, board, active.get(board, active.get("")))

    async def rollback(self, board: str, *, by: str) -> int:
        """Puts the board's model before the active one back in force and returns its version.
        Raises NotFound."""
        with translated():
            previous: int | None = await self._pool.fetchval(_sql["previous"], board)
        if previous is None:
            raise NotFound("There is no earlier model to go back to.")
        await self.activate(previous, by=by)
        return previous

    async def due(self, interval: float) -> builtins.list[str]:
        """Boards with a gate whose newest model of their own is older than ``interval`` seconds,
        or that have none."""
        with translated():
            return [row["board"] for row in await self._pool.fetch(_sql["due"], interval)]

    async def list(self, boards: frozenset[str] | None = None) -> builtins.list[GateModel]:
        """The newest hundred that judge any of these boards (None: any), newest first."""
        with translated():
            rows = await self._pool.fetch(_sql["list"], None if boards is None else [*boards])
        return [_model(row) for row in rows]


def _no_such(version: int) -> NotFound:
    return NotFound(f"There is no model {version}.")


def _model(row: asyncpg.Record) -> GateModel:
    first_ms, last_ms = row["first_ms"], row["last_ms"]
    return GateModel(
        version=row["version"],
        board=row["board"],
        active=row["active"],
        created=row["created"],
        trained_from=None if first_ms is None else moment_of(first_ms),
        trained_to=None if last_ms is None else moment_of(last_ms),
        false_alarm_rate=row["false_alarm_rate"],
        quality=msgspec.json.decode(row["quality"]),
        bytes=row["bytes"],
    )
