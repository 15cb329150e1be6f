"""What it takes to fold a part of the ledger while batches are written to the next one.

    python -m scripts.bench.folding [--known 500000] [--users 20000]

Starts a durable Postgres of its own whose first part has ``known`` actions of one board, folds it
by the steps that persisters make, and writes batches of 500 actions one after another meanwhile. In
the end every total is compared with what the ledger gives.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import typer

from scoreboard.local.embedded_servers import Postgres
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.ledger_folds import LedgerFolds
from scoreboard.pg.ledger_parts import PART
from scripts.bench.figures import Bound, JsonFile, report
from scripts.bench.ledger import BOARD, REACH, batch_of, cut, fill, opened
from scripts.load.servers import temporary_folder

BATCH = 500
ALL_DUE = -(10**15)  # ms of a retention by which every part is due
LAST_USERS = 100


async def measure(postgres: Postgres, known: int, users: int) -> dict[str, float]:
    form = await opened(postgres, "folding")
    bound = await cut(form.database)
    await fill(form.database, known, users, bound - PART, PART)
    await form.database.execute(
        "INSERT INTO board (board, partition) VALUES ($1, 0) ON CONFLICT DO NOTHING", BOARD
    )
    await form.database.execute("SELECT correct_table($1)", BOARD)
    ledger, folds = Ledger(form.pool, reach=REACH), LedgerFolds(form.pool)
    draw, longest, written, stop = random.Random(2), 0.0, 0, False

    async def write() -> None:
        nonlocal longest, written
        while not stop:
            events = batch_of(draw, written, BATCH, users, bound + 1)
            started = time.perf_counter()
            async with ledger.locked(0) as session:
                await session.write(events, ())
            longest = max(longest, time.perf_counter() - started)
            written += BATCH

    part = await folds.due(ALL_DUE)
    assert part is not None
    writing, started = asyncio.create_task(write()), time.perf_counter()
    await folds.begin(part)
    while await folds.sum_up(part):
        pass
    summed = time.perf_counter() - started
    while not await folds.end(part, LAST_USERS):
        await folds.sum_up_changed(part)
    ended = time.perf_counter() - started
    while await folds.merge():
        pass
    merged = time.perf_counter() - started
    stop = True
    await writing
    differing = await form.database.fetchval(
        "SELECT count(*) FROM (SELECT user_id, sum(points) AS total FROM ("
        " SELECT user_id, total AS points FROM folded_total UNION ALL"
        " SELECT user_id, points FROM score_action) AS all_of GROUP BY user_id) AS sums"
        " FULL JOIN ledger_totals($1) AS found USING (user_id) WHERE total IS DISTINCT FROM ledger",
        BOARD,
    )
    total = await form.database.fetchval("SELECT sum(ledger)::bigint FROM ledger_totals($1)", BOARD)
    assert total == 5 * (known + written), f"{total} points of {5 * (known + written)}"
    await form.pool.close()
    await form.database.close()
    return {
        "known": known,
        "written_meanwhile": written,
        "summed_up_seconds": round(summed, 2),
        "dropped_seconds": round(ended, 2),
        "merged_seconds": round(merged, 2),
        "longest_batch_ms": round(longest * 1000, 1),
        "differing_totals": differing,
    }


def main(known: int = 500_000, users: int = 20_000, json: JsonFile = None) -> None:
    """Measure what it takes to fold a part of the ledger while batches are written."""
    with temporary_folder() as folder:
        postgres = Postgres(Path(folder) / "postgres")
        try:
            postgres.start()
            figures = asyncio.run(measure(postgres, known, users))
        finally:
            postgres.stop()
    report(figures, json, targets={"differing_totals": Bound(0), "longest_batch_ms": Bound(1000)})


if __name__ == "__main__":
    typer.run(main)
