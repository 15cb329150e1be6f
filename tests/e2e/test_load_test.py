"""The load test on the whole service, started by itself: nothing lost, nothing doubled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.load_test import results
from tests.support.extent import WHOLE


@pytest.mark.parametrize("batch", [0, 20] if WHOLE else [20])
def test_a_short_run_passes_its_audit_down_to_postgres(tmp_path: Path, batch: int) -> None:
    load = ("--rate=300", "--duration=1", "--warmup=0.5", "--users=50", "--clients=10")
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.load_test", *load, "--boards=2", f"--batch={batch}",
         f"--reports={tmp_path}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout + ended.stderr
    (raw,) = tmp_path.glob("*.json")
    found = results.load(raw.read_bytes())
    assert [(check.name, check.passed, check.skipped) for check in found.audit] == [
        ("Answers", True, ""),
        ("Boards", True, ""),
        ("Postgres", True, ""),
        ("Clients", True, ""),
    ]
    assert found.undelivered == 0
    assert found.outcomes["409 duplicate_action"] > 0
    assert set(found.cpu) == {"api", "persister", "Valkey", "Postgres"}
