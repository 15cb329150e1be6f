"""Boards behind a real gate, with a clock of the test's own: actions name when they occurred."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.boards import BoardSettings
from scoreboard.pg.models import Models
from tests.integration.api.described_api import Answer, Api
from tests.support.honest_season import EVENING, LONDON, honest_model, moment

USUAL = (0, 170, 401, 655, 1102, 1290, 1744, 2101, 2480, 2911)  # seconds, as honest players play


async def add_model(
    pool: asyncpg.Pool, board: str = "", *, activate: bool = True, content: bytes | None = None
) -> int:
    """Stores the honest season's model, or other ``content`` under its name; its version."""
    model = honest_model()
    record = model.training
    version = await Models(pool).add(
        board,
        content or model.to_bytes(),
        first_ms=record.first_ms,
        last_ms=record.last_ms,
        false_alarm_rate=record.false_alarm_rate,
        quality={},
    )
    if activate:
        await Models(pool).activate(version, by="eve")
    return version


async def set_board(api: Api, board: str, **rules: Any) -> None:
    """Sets the board's settings; by default it accepts actions of any age."""
    admin = api.bearing(api.service.token("admin", subject="eve"))
    settings = BoardSettings(**{"allow_history": True, **rules})
    body = json.dumps(msgspec.to_builtins(settings)).encode()
    headers = {"Content-Type": "application/json"}
    path = f"/api/admin/boards/{board}"
    answer = await admin.call("PUT", path, data=body, headers=headers)
    assert answer.status == 200, answer


def action(user: str, name: str, after: float, points: int = 2, **context: Any) -> dict[str, Any]:
    """An action ``after`` so many seconds of the evening, from London and the user's phone."""
    where = {"deviceId": f"phone of {user}", "userAgent": "Game/3", **LONDON, **context}
    occurred = moment(EVENING + round(1000 * after))
    context = {"occurredAt": occurred, **{k: v for k, v in where.items() if v is not None}}
    return {"userId": user, "actionId": name, "points": points, "context": context}


async def post(api: Api, board: str, *args: Any, **kwargs: Any) -> Answer:
    """Posts an ``action``."""
    return await api.post(f"/api/boards/{board}/score", action(*args, **kwargs))


async def play(api: Api, board: str, user: str) -> None:
    """Some actions as honest players make them; all count."""
    actions = [action(user, f"usual-{after}", after) for after in USUAL]
    answer = await api.post(f"/api/boards/{board}/scores", {"actions": actions})
    assert [result["status"] for result in answer.json["results"]] == [200] * len(USUAL)
