"""The comparison with peers, each installed and started as its users would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.peers.contenders import CONTENDERS
from tests.support.extent import WHOLE


@pytest.mark.skipif(not WHOLE, reason="installs packages from PyPI and npm; WHOLE=1 runs it")
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js with npm")
def test_a_short_comparison_has_all_figures_and_loses_and_doubles_nothing_of_ours(
    tmp_path: Path,
) -> None:
    short = ("--seconds=0.5", "--rounds=1", "--rate=50", "--actions=500", "--kills=1")
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.bench.peers", *short, f"--reports={tmp_path}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = json.loads((tmp_path / "bench-peers.json").read_bytes())
    assert [row["name"] for row in rows] == [contender.name for contender in CONTENDERS]
    assert all(row["post_rate"] > 0 and row["post_cpu_us"] > 0 for row in rows)
    assert [row["faults"] for row in rows[:2]] == [[0, 0, 500]] * 2
    assert "<svg" in (tmp_path / "bench-peers.svg").read_text(encoding="utf-8")
