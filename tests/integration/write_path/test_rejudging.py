"""Actions whose memory moved since their verdict are judged again, but not over and over."""

from __future__ import annotations

from collections import Counter

import pytest

from scoreboard.domain.boards import BoardSettings, Rate
from scoreboard.domain.submissions import Outcome
from scoreboard.write_path.submitter import REJUDGED
from tests.support.moderated_arena import Moderated

COUNT = 400


async def configure(court: Moderated, settings: BoardSettings) -> None:
    await court.moderator.configure("arena", lambda _: settings, by="eve")


async def test_what_a_rate_refuses_is_judged_once(court: Moderated) -> None:
    await configure(court, BoardSettings(mode="reject", rate=Rate(20, 600)))
    results = await court.arena.submit(*(("ann", f"k{i}", 1) for i in range(COUNT)))
    outcomes = Counter(result.outcome for result in results)
    assert outcomes == {Outcome.ACCEPTED: 20, Outcome.RATE_LIMITED: COUNT - 20}
    assert all(result.retry_after for result in results[20:])
    assert len(court.gate.remembered) == COUNT


@pytest.mark.parametrize(
    ("name", "points", "outcome"),
    [("too-many-{}", 60, Outcome.OUT_OF_BOUNDS), ("k{}", 1, Outcome.DUPLICATE)],
)
async def test_actions_that_leave_no_memory_do_not_have_all_others_judged_over_and_over(
    court: Moderated, name: str, points: int, outcome: Outcome
) -> None:
    await configure(court, BoardSettings(mode="reject", max_points=50))
    actions = [
        action
        for i in range(COUNT // 2)
        for action in (("ann", f"k{i}", 1), ("ann", name.format(i), points))
    ]
    results = await court.arena.submit(*actions, ("bob", "k0", 1))
    assert [result.outcome for result in results] == [
        *(Outcome.ACCEPTED, outcome) * (COUNT // 2),
        Outcome.ACCEPTED,
    ]
    assert [result.score for result in results[:-1:2]] == list(range(1, COUNT // 2 + 1))
    assert await court.arena.totals() == {"ann": COUNT // 2, "bob": 1}
    assert len(court.gate.remembered) <= COUNT + 1 + REJUDGED * COUNT // 2
