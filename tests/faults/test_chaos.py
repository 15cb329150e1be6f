"""The bounded form of `make chaos` and its relatives; the long forms are commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.chaos import replies, run
from scripts.chaos.actions import Action, Doubt
from scripts.chaos.audit import by_a_former_master
from scripts.chaos.faults import Emptied, schedule
from scripts.chaos.proxy import Loss
from scripts.chaos.valkey_faults import ValkeyFaults
from tests.support.extent import further, kept


async def test_nothing_is_lost_or_doubled_while_everything_is_killed(tmp_path: Path) -> None:
    report = await run.run(tmp_path, seed=7, actions=2_000, kills=6, progress=print)

    assert report["violations"] == [], report["logged_errors"]
    assert report["kills"] == 6
    assert report["actions"] >= 2_000
    assert report["acknowledged"]["postgres"] > 50


@further
@pytest.mark.parametrize(
    ("form", "seed", "faults"),
    [
        (run.Form.CLUSTER, 263, {"kill_master", "move_slot", "add_node"}),
        (run.Form.SENTINEL, 1902, {"kill_master", "kill_persister"}),
    ],
)
async def test_nothing_that_was_promised_is_lost_while_masters_are_replaced(
    tmp_path: Path, form: run.Form, seed: int, faults: set[str]
) -> None:
    report = await run.run(tmp_path, seed=seed, actions=3_000, kills=4, progress=print, form=form)

    assert report["violations"] == [], report["logged_errors"]
    assert report["kills"] == 4
    assert report["faults"].keys() >= faults  # as root a network is cut as well
    assert report["actions"] >= 3_000
    # How many depends on how soon a new master has a replica again.
    assert report["acknowledged"]["replica"] > 0
    assert report["acknowledged"]["postgres"] > 0


@pytest.mark.parametrize("loss", kept(Loss, Loss.SILENCE))
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


@pytest.mark.parametrize(
    ("asked", "came", "split", "excused"),
    [
        (9.0, 10.5, True, True),
        (12.5, 13.0, True, True),
        (9.0, 10.5, False, False),
        (9.0, 9.9, True, False),
        (13.1, 14.0, True, False),
    ],
)
def test_an_answer_that_contradicts_another_is_excused_only_while_two_masters_may_answer(
    asked: float, came: float, split: bool, excused: bool
) -> None:
    action = Action("arena", "anna", "a1", 5)
    window = Emptied("cut", since=10.0, until=13.0, split=split)

    doubt = Doubt(action, "counted again", [(asked, came), (1.0, 2.0)])
    assert by_a_former_master(doubt, [window]) is excused


def test_an_answer_that_contradicts_another_is_not_taken_for_the_truth() -> None:
    action = Action("arena", "anna", "a1", 5)
    assert action.acknowledge("postgres", 7, anew=1.0) is None
    assert action.acknowledge("redis", 5, anew=2.0) == "counted again although it was in Postgres"
    assert (action.level, action.score) == ("postgres", 7)
    assert action.acknowledge("redis", 5, None) == "a retry was told 5, the first answer was 7"
    assert action.acknowledge("redis", 7, None) is None


KINDS = ValkeyFaults.kinds


def test_a_seed_replays_its_schedule() -> None:
    faults = schedule(5, 300_000, 200, KINDS)
    assert schedule(5, 300_000, 200, KINDS) == faults
    assert schedule(6, 300_000, 200, KINDS) != faults
    assert sum(fault.kind in KINDS.kills for fault in faults) == 200
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
