"""The bounded form of `make chaos` and its relatives; the long forms are commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.chaos import replies, run
from scripts.chaos.faults import KILLS, schedule
from scripts.chaos.proxy import Loss


async def test_nothing_is_lost_or_doubled_while_everything_is_killed(tmp_path: Path) -> None:
    report = await run.run(tmp_path, seed=7, actions=2_000, kills=6, progress=print)

    assert report["violations"] == [], report["logged_errors"]
    assert report["kills"] == 6
    assert report["actions"] >= 2_000
    assert report["acknowledged"]["postgres"] > 50


@pytest.mark.parametrize("loss", list(Loss))
async def test_every_retry_after_a_lost_reply_learns_the_first_result(
    tmp_path: Path, loss: Loss
) -> None:
    report = await replies.run(tmp_path, seed=3, actions=600, every=9, loss=loss, progress=print)

    assert report["violations"] == []
    assert report["lost_replies"] > 5
    if loss is Loss.RESET:
        assert "503 outcome_unknown" not in report["answers"], "the service sends again itself"
    else:
        assert report["answers"]["409 duplicate_action"] > 0, "clients had to ask again"


def test_a_seed_replays_its_schedule() -> None:
    faults = schedule(5, 300_000, 200)
    assert schedule(5, 300_000, 200) == faults
    assert schedule(6, 300_000, 200) != faults
    assert sum(fault.kind in KILLS for fault in faults) == 200
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
