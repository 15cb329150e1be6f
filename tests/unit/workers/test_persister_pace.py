"""How fast the persister's rounds follow one another: a commit costs much, and who waits for one
shall not wait for a pause."""

from __future__ import annotations

import pytest

from scoreboard.domain.ledger import EventId
from scoreboard.workers.batches import Round
from scoreboard.workers.persister import CLOSER, LATELY, SPACING, Pace

MOVED = Round(EventId(1, 0), awaited=False)
AWAITED = Round(EventId(1, 0), awaited=True)


def test_a_round_begins_a_while_after_the_one_before_did() -> None:
    assert Pace().pause(MOVED, 100.0, 100.01) == pytest.approx(SPACING - 0.01)


def test_after_a_round_that_took_longer_the_next_begins_at_once() -> None:
    assert Pace().pause(MOVED, 100.0, 100.0 + 2 * SPACING) == 0.0


def test_whoever_waits_for_a_commit_waits_for_no_pause() -> None:
    assert Pace().pause(AWAITED, 100.0, 100.0) == 0.0


def test_while_somebody_has_waited_lately_rounds_come_closer() -> None:
    pace = Pace()
    pace.pause(AWAITED, 100.0, 100.0)
    assert pace.pause(MOVED, 105.0, 105.0) == pytest.approx(CLOSER)
    assert pace.pause(MOVED, 101.0 + LATELY, 101.0 + LATELY) == pytest.approx(SPACING)


SHAREABLE = Round(EventId(1, 0), awaited=False, shareable=True)


def test_a_partition_goes_with_others_once_its_last_batch_could_have() -> None:
    pace = Pace()
    assert not pace.shares(100.0), "nothing is known of it"
    pace.pause(SHAREABLE, 100.0, 100.0)
    assert pace.shares(100.0)
    pace.pause(MOVED, 101.0, 101.0)
    assert not pace.shares(101.0)


def test_a_partition_for_whose_commits_somebody_has_waited_lately_goes_alone() -> None:
    pace = Pace()
    pace.pause(AWAITED, 100.0, 100.0)
    pace.pause(SHAREABLE, 100.0, 100.0)
    assert not pace.shares(99.0 + LATELY)
    assert pace.shares(100.0 + LATELY)


def test_a_partition_that_had_to_go_alone_does_so_until_its_next_batch() -> None:
    pace = Pace()
    pace.pause(SHAREABLE, 100.0, 100.0)
    pace.part()
    assert not pace.shares(100.0)
