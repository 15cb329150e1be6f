"""The command as a person runs it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from scripts.load.target import Target
from scripts.load_test import results
from tests.unit.load_test.stub import Stub

SMALL = (
    "--rate=200",
    "--duration=1",
    "--warmup=0.2",
    "--clients=6",
    "--users=5",
    "--boards=2",
    "--skew=0",
)


def _written(folder: Path) -> tuple[Path, Path]:
    (raw,) = folder.glob("*.json")
    (page,) = folder.glob("*.html")
    return raw, page


async def _run(*options: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripts.load_test",
        *options,
        env={**os.environ, "COLUMNS": "200", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_run_against_a_given_server_is_measured_audited_and_written_down(
    stub: Stub, target: Target, tmp_path: Path
) -> None:
    code, output = await _run(
        *SMALL, "--reports", str(tmp_path), SCOREBOARD_URL=target.url, SCOREBOARD_TOKEN="t"
    )

    assert code == 0, output
    raw, page = _written(tmp_path)
    assert str(page) in output
    found = results.load(raw.read_bytes())
    assert found.passed
    assert [check.name for check in found.audit if not check.skipped] == [
        "Answers",
        "Boards",
        "Clients",
    ]
    assert found.outcomes["200"] + 2 == len(stub.receipts)  # one lift for each board
    assert (found.probes, found.undelivered) == (12, 0)
    assert found.delivery.count == 10 * 3  # those after the warm-up, to the board's own clients
    assert found.write_behind.max == 0


async def test_points_that_were_acknowledged_and_lost_fail_the_run(
    stub: Stub, target: Target, tmp_path: Path
) -> None:
    stub.swallow = {"u3"}
    code, output = await _run(
        *SMALL, "--reports", str(tmp_path), "--url", target.url, "--token", "t"
    )

    assert code == 1, output
    assert "u3 has 0 on load-" in output
    assert "The audit failed" in output
    _, page = _written(tmp_path)
    assert "Audit failed" in page.read_text()


async def test_another_machine_is_refused_before_anything_is_sent() -> None:
    code, output = await _run("--url", "http://192.0.2.1:8080", "--token", "t")

    assert code == 2
    assert "is another machine" in output


async def test_a_server_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    code, output = await _run(
        "--url", "http://127.0.0.1:1", "--token", "t", "--reports", str(tmp_path)
    )

    assert code == 2
    assert "The run could not be made" in output
    assert "Traceback" not in output
