"""Lines of the table of losses; `python -m scripts.chaos losses` measures all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.chaos.losses import CASES, Case, measure
from tests.support.extent import kept
from tests.support.programs import lacking

# Those that the chaos does not have anyway.
CHOSEN = [case for case in CASES if case.level in ("replica", "disk") or case.fault == "kill -9"]


@pytest.mark.parametrize(
    "case", kept(CHOSEN, CHOSEN[0]), ids=lambda case: f"{case.level}, {case.fault}"
)
async def test_no_level_loses_more_than_it_promises(tmp_path: Path, case: Case) -> None:
    if case.traced and shutil.which("strace") is None:
        lacking("needs strace to know what the server has synced")
    measured = await measure(tmp_path, case, rounds=1, seconds=1.0)

    assert measured.acknowledged > 100
    assert not measured.broken, measured
