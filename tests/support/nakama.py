"""The database of a Nakama server: its two tables of leaderboards, in a schema of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg

# As its migrations make them, without what only concerns tournaments.
_TABLES = """
CREATE TABLE leaderboard (
    PRIMARY KEY (id),
    id             VARCHAR(128) NOT NULL,
    authoritative  BOOLEAN      DEFAULT FALSE,
    sort_order     SMALLINT     DEFAULT 1 NOT NULL,
    operator       SMALLINT     DEFAULT 0 NOT NULL,
    reset_schedule VARCHAR(64),
    metadata       JSONB        DEFAULT '{}' NOT NULL,
    create_time    TIMESTAMPTZ  DEFAULT now() NOT NULL
);
CREATE TABLE leaderboard_record (
    PRIMARY KEY (leaderboard_id, expiry_time, score, subscore, owner_id),
    FOREIGN KEY (leaderboard_id) REFERENCES leaderboard (id) ON DELETE CASCADE,
    leaderboard_id VARCHAR(128)  NOT NULL,
    owner_id       UUID          NOT NULL,
    username       VARCHAR(128),
    score          BIGINT        DEFAULT 0 CHECK (score >= 0) NOT NULL,
    subscore       BIGINT        DEFAULT 0 CHECK (subscore >= 0) NOT NULL,
    num_score      INT           DEFAULT 1 CHECK (num_score >= 0) NOT NULL,
    max_num_score  INT           DEFAULT 1000000 NOT NULL,
    metadata       JSONB         DEFAULT '{}' NOT NULL,
    create_time    TIMESTAMPTZ   DEFAULT now() NOT NULL,
    update_time    TIMESTAMPTZ   DEFAULT now() NOT NULL,
    expiry_time    TIMESTAMPTZ   DEFAULT '1970-01-01 00:00:00 UTC' NOT NULL,
    UNIQUE (owner_id, leaderboard_id, expiry_time)
);
"""


class Record(NamedTuple):
    """A player's record; moments as Postgres reads them."""

    owner: str
    username: str | None
    score: int
    updated: str
    expires: str
    subscore: int = 0
    writes: int = 1  # 0: has only joined
    metadata: str = "{}"


_INSERT = """
INSERT INTO leaderboard_record (leaderboard_id, owner_id, username, score, update_time, expiry_time,
    subscore, num_score, metadata)
VALUES ('weekly', $1::text::uuid, $2, $3, $4::text::timestamptz, $5::text::timestamptz,
    $6, $7, $8::text::jsonb)
"""


@asynccontextmanager
async def nakama_database(database_url: str, *weekly: Record) -> AsyncIterator[str]:
    """The URL of one with two leaderboards: ``weekly``, which has these records, and the empty
    ``laps``, where less is better."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            f"CREATE SCHEMA nakama; SET search_path = nakama; {_TABLES};"
            "INSERT INTO leaderboard (id, sort_order) VALUES ('weekly', 1), ('laps', 0)"
        )
        await connection.executemany(_INSERT, weekly)
        yield f"{database_url}?options=-csearch_path%3Dnakama"
    finally:
        await connection.execute("DROP SCHEMA IF EXISTS nakama CASCADE")
        await connection.close()
