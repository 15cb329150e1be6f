"""What the figures mean, on a stream small enough to count by hand."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from scoreboard.anomaly import agents
from scoreboard.anomaly.evaluation import Labelled, measure
from scoreboard.anomaly.replay import Played, part
from scoreboard.domain.judging import Case
from scripts.synthetic_season import HOUR, MONDAY


def row(minute: float, kind: str = "honest", user: str = "ann") -> Labelled:
    at = MONDAY + round(minute * 60_000)
    return Labelled(Case(user, 2, at, at), int(kind != "honest"), kind)


def played(
    scores: list[float], first: list[bool] | None = None, noted: list[bool] | None = None
) -> Played:
    columns = np.zeros((len(scores), len(agents.REGISTERED)))
    columns[:, -1] = scores
    flags = np.array(first or [False] * len(scores))
    notes = np.array(noted or [False] * len(scores))
    return Played(columns, np.array(scores) > 1.0, flags, notes, seconds=0.5)


def test_recall_counts_actions_where_episodes_are_short() -> None:
    rows = [row(0, "takeover"), row(1, "takeover"), row(2, "takeover"), row(3)]
    quality = measure(rows, played([0.5, 1.2, 1.2, 0.1])).kinds["takeover"]
    assert quality.counted_by == "actions"
    assert quality.recall == pytest.approx(2 / 3)
    assert (quality.actions, quality.episodes, quality.recall_episodes) == (3, 1, 1.0)


def test_recall_counts_episodes_where_they_are_long_and_half_refused_is_not_caught() -> None:
    first = [row(i, "burst") for i in range(10)]
    second = [row(6 * HOUR / 60_000 + i, "burst") for i in range(10)]
    scores = [0.5] * 5 + [1.2] * 5 + [0.5] * 4 + [1.2] * 6
    quality = measure(first + second, played(scores)).kinds["burst"]
    assert (quality.counted_by, quality.recall, quality.recall_actions) == ("episodes", 0.5, 0.55)


def test_false_refusals_are_shares_of_the_honest_actions_only() -> None:
    rows = [row(0), row(1), row(2), row(3), row(4, "burst")]
    first = [True, True, False, False, False]
    evaluation = measure(rows, played([1.2, 0.1, 0.1, 0.1, 1.3], first))
    assert evaluation.false_refusals == 0.25
    assert evaluation.new_users_refused == 0.5
    assert evaluation.microseconds == pytest.approx(100_000)


def test_honest_kinds_are_told_apart() -> None:
    rows = [row(0), row(1), row(2), row(3, "burst")]
    rows[1].kind = rows[2].kind = "family"
    kinds = measure(rows, played([0.1, 1.2, 0.1, 1.3])).honest_kinds
    assert {name: (kind.actions, kind.false_refusals) for name, kind in kinds.items()} == {
        "family": (2, 0.5),
        "honest": (1, 0.0),
    }


def test_a_week_is_noted_by_the_first_action_that_counts_in_another() -> None:
    week = 7 * 24 * 60
    rows = [
        *(row(0, "stealth"), row(1), row(week), row(week, user="bob")),
        *(row(2 * week), row(2 * week + 1), row(2 * week, user="bob")),
    ]
    noted = [False, False, False, False, True, False, False]
    scores = [0.1, 0.1, 1.2, 0.1, 0.1, 0.1, 0.1]  # ann's action of the second week did not count
    weeks = measure(rows, played(scores, noted=noted)).weeks
    assert {kind: (of.weeks, of.noted) for kind, of in weeks.items()} == {
        "honest": (1, 0.0),
        "stealth": (1, 1.0),
    }


def test_the_curves_figures_equal_scikit_learns() -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score  # takes a second

    rng = np.random.default_rng(1)
    rows = [row(i, rng.choice(["honest", "honest", "burst"])) for i in range(300)]
    scores = np.round(rng.random(300) + [0.3 * r.label for r in rows], 1)
    overall = measure(rows, played(scores.tolist())).overall
    labels = [r.label for r in rows]
    assert overall.auroc == pytest.approx(roc_auc_score(labels, scores))
    assert overall.average_precision == pytest.approx(average_precision_score(labels, scores))


def test_without_cheats_there_are_no_curves() -> None:
    evaluation = measure([row(0), row(1)], played([0.1, 1.2]))
    assert evaluation.overall.auroc is None
    assert evaluation.kinds == {}
    assert evaluation.false_refusals == 0.5


def test_a_part_of_what_was_played_has_its_share_of_the_time() -> None:
    whole = msgspec.structs.replace(played([2.0, 0.5, 0.5, 0.5]), seconds=8.0)
    assert part(whole, np.array([True, False, False, False])).seconds == 2.0
    assert part(whole, np.zeros(4, bool)).seconds == 0.0
