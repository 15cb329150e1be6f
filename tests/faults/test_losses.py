"""One line of the table of losses for each level; `python -m scripts.chaos losses` measures all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.chaos.losses import CASES, Case, measure

CHEAPEST = [case for case in CASES if case.fault != "kill -9" or case.level == "redis"]


@pytest.mark.parametrize("case", CHEAPEST, ids=lambda case: f"{case.level}, {case.fault}")
async def test_no_level_loses_more_than_it_promises(tmp_path: Path, case: Case) -> None:
    if case.traced and shutil.which("strace") is None:
        pytest.skip("needs strace to know what the server has synced")
    measured = await measure(tmp_path, case, rounds=1)

    assert measured.acknowledged > 100
    assert not measured.broken, measured
