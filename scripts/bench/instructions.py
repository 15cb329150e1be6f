"""What further tables cost in the script, in instructions: python -m scripts.bench.instructions

Valkey runs under callgrind (Debian: valgrind), which counts the instructions of EVALSHA. The counts
are nearly the same whatever else the machine does, so those of two versions can be compared. They
leave out what waiting for memory costs.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from scoreboard.domain.boards import BoardSettings
from scoreboard.local.embedded_servers import valkey_binary
from scripts.bench.figures import JsonFile, write
from scripts.bench.periods import PERIODS
from scripts.bench.script_calls import FullBoard, Line, running

CALLS = {1: 100, 10: 16, 100: 6}  # of a round, by the actions of a call
ROUNDS = 7


class Callgrind:
    """Counts between two calls of ``counted``."""

    def __init__(self, folder: Path) -> None:
        self._counts = folder / "counts"
        self.binary = folder / "valkey-under-callgrind"
        self.binary.write_text(
            "#!/bin/sh\nexec valgrind --tool=callgrind --toggle-collect=evalShaCommand "
            f'--callgrind-out-file={self._counts} {valkey_binary()} "$@"\n'
        )
        self.binary.chmod(0o700)
        self._dumps = 0

    def counted(self, pid: int) -> int:
        """The instructions since the last call."""
        subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
        self._dumps += 1
        text = Path(f"{self._counts}.{self._dumps}").read_text()
        found = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        assert found is not None, "callgrind's file has no total"
        return int(found[1])


def main(
    users: Annotated[int, typer.Option(help="Users of each table.")] = 20_000,
    json: JsonFile = None,
) -> None:
    """Count the instructions of an action on boards with 1, 2 and 4 tables."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        callgrind = Callgrind(Path(folder))
        with running(callgrind.binary) as (valkey, redis):
            pid = redis.info("server")["process_id"]
            line = Line(valkey.url)
            boards = [
                FullBoard(redis, f"board-{n}", users, BoardSettings(periods=PERIODS[:n]))
                for n in (0, 1, 3)
            ]
            for board in boards:
                line.run([board.call(10)], 1)
            for batch, calls in CALLS.items():
                # In turns, and the median: what Valkey does now and then, such as growing its table
                # of keys, would otherwise fall to one board alone.
                spent: list[list[float]] = [[] for _ in boards]
                for _ in range(ROUNDS):
                    for board, counts in zip(boards, spent, strict=True):
                        prepared = [board.call(batch) for _ in range(calls)]
                        callgrind.counted(pid)
                        line.run(prepared, 1)
                        counts.append(callgrind.counted(pid) / calls / batch)
                for board, counts in zip(boards, spent, strict=True):
                    rows.append(_row(rows, batch, len(board.settings.periods), median(counts)))
            line.close()
    table = Table(title=f"Instructions of an action, on tables of {users:,} users")
    for heading in ("a call", "tables", "instructions", "a further table to the first"):
        table.add_column(heading, justify="right")
    for row in rows:
        further = "" if row["further"] is None else f"{row['further']:.2f}"
        table.add_row(str(row["batch"]), str(row["tables"]), f"{row['instructions']:,.0f}", further)
    Console().print(table)
    write({"figures": rows}, json)


def _row(rows: list[dict[str, Any]], batch: int, further: int, spent: float) -> dict[str, Any]:
    alone = next((row["instructions"] for row in rows if row["batch"] == batch), spent)
    return {
        "batch": batch,
        "tables": 1 + further,
        "instructions": spent,
        "further": (spent / alone - 1) / further if further else None,
    }


if __name__ == "__main__":
    typer.run(main)
