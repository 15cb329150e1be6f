"""The bounded form of `python -m scripts.chaos steps`, which kills 50 at each step."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.chaos.stalled_persister import Step
from scripts.chaos.steps import Seen, measure
from tests.support.extent import further

KILLS = 2


@further
@pytest.mark.parametrize("step", Step, ids=lambda step: step.value)
async def test_a_persister_killed_at_a_step_loses_and_doubles_nothing(
    tmp_path: Path, step: Step
) -> None:
    row = await measure(tmp_path, step, kills=KILLS, seed=11, progress=print)

    assert row.violations == []
    assert (row.kills, row.lost, row.doubled) == (KILLS, 0, 0)
    assert row.entries >= KILLS
    if step in (Step.AFTER_COMMIT, Step.BEFORE_ACKNOWLEDGE):
        assert row.committed == row.entries, "in the ledger and in the stream"


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (Seen(5, left=5, committed=0, first_committed=0, writing=0), {"read"}),
        (Seen(5, left=5, committed=0, first_committed=0, writing=1), {"read", "before commit"}),
        (
            Seen(5, left=5, committed=5, first_committed=5, writing=0),
            {"after commit", "before acknowledge"},
        ),
        (Seen(5, left=5, committed=3, first_committed=3, writing=1), set()),
        (Seen(5, left=0, committed=5, first_committed=0, writing=0), set()),
    ],
)
def test_a_kill_at_another_step_is_told(seen: Seen, steps: set[str]) -> None:
    assert {step.value for step in Step if seen.fits(step)} == steps
