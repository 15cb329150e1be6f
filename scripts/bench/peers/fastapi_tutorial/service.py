"""A leaderboard as tutorials for FastAPI, redis-py and asyncpg show it: a row into Postgres, then
ZINCRBY, then the answer. It runs from a folder of its own, with what requirements.txt lists."""

# FastAPI is not installed where the types are checked.
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from redis.asyncio import Redis

BOARD = "leaderboard"
NEIGHBOURS = 5  # on each side

Row = dict[str, Any]

redis: Any = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


class Action(BaseModel):
    userId: str  # noqa: N815 - the members of the JSON
    actionId: str  # noqa: N815
    points: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"]) as app.state.database:
        await app.state.database.execute(
            "CREATE TABLE IF NOT EXISTS actions (action_id text PRIMARY KEY, user_id text NOT NULL,"
            " points bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now())"
        )
        yield
    await redis.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/api/score")
async def post_score(action: Action) -> Row:
    inserted = await app.state.database.fetchval(
        "INSERT INTO actions (action_id, user_id, points) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING RETURNING true",
        action.actionId, action.userId, action.points,
    )  # fmt: skip
    if inserted:
        score = await redis.zincrby(BOARD, action.points, action.userId)
    else:  # a retry finds its row, and does not count again
        score = await redis.zscore(BOARD, action.userId)
    rank = await redis.zrevrank(BOARD, action.userId)
    # Where a process ended between the row and ZINCRBY there is no score.
    return {
        "userId": action.userId,
        "score": int(score or 0),
        "rank": None if rank is None else rank + 1,
        "actionId": action.actionId,
    }


@app.get("/api/score/top")
async def get_top() -> dict[str, list[Row]]:
    return {"topScores": await _rows(0, 9)}


@app.get("/api/boards/global/users/{user_id}/around")
async def get_around(user_id: str) -> dict[str, list[Row]]:
    rank = await redis.zrevrank(BOARD, user_id)
    if rank is None:
        raise HTTPException(404, "not on the board")
    return {"users": await _rows(max(0, rank - NEIGHBOURS), rank + NEIGHBOURS)}


async def _rows(first: int, last: int) -> list[Row]:
    found = await redis.zrevrange(BOARD, first, last, withscores=True)
    return [
        {"userId": user, "score": int(score), "rank": rank}
        for rank, (user, score) in enumerate(found, first + 1)
    ]
