"""The bit tables against scikit-learn's own scores."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scoreboard.anomaly.forest import Forest, take_trees
from tests.support.extent import kept

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

FEATURES = 4
LARGEST = float(np.finfo(np.float32).max)


class Fit(NamedTuple):
    """How a forest is made."""

    seed: int
    samples: int | float = 256
    features: float = 1.0

    def __str__(self) -> str:
        return f"samples={self.samples}"


@cache
def fitted(fit: Fit) -> IsolationForest:
    # Not when the tests are collected: each process of a run does that, and this takes a second.
    from sklearn.ensemble import IsolationForest

    seed, samples, features = fit
    rng = np.random.default_rng(seed)
    rows = np.round(np.exp(rng.normal(size=(600, FEATURES))), 2)
    rows[:, 3] = 1.0  # never splits
    forest = IsolationForest(
        n_estimators=30, max_samples=samples, max_features=features, random_state=seed
    )
    return forest.fit(rows)


FORESTS = [
    Fit(1),
    Fit(2, samples=64),
    Fit(3, samples=500),
    Fit(4, features=0.5),
    Fit(5, samples=2),
    Fit(6, samples=1),
]
values = st.one_of(
    st.floats(-LARGEST, LARGEST, allow_nan=False),
    st.floats(-5, 15, width=32),
    st.sampled_from([0.0, -0.0, 1.0, LARGEST, -LARGEST, 1e-45, 5e-324]),
)


@pytest.mark.parametrize("fit", kept(FORESTS, FORESTS[0], FORESTS[3]), ids=str)
@settings(max_examples=60, deadline=None)
@given(rows=arrays(np.float64, st.tuples(st.integers(1, 20), st.just(FEATURES)), elements=values))
def test_scores_equal_scikit_learns_on_any_input(
    fit: Fit, rows: np.typing.NDArray[np.float64]
) -> None:
    forest = fitted(fit)
    scores = Forest(take_trees(forest)).score(rows)
    np.testing.assert_allclose(scores, -forest.score_samples(rows), rtol=0, atol=1e-9)


@pytest.mark.parametrize("fit", FORESTS[:4], ids=str)
def test_a_value_equal_to_a_threshold_goes_the_way_scikit_learn_sends_it(
    fit: Fit,
) -> None:
    forest = fitted(fit)
    cuts = np.concatenate([e.tree_.threshold[e.tree_.feature >= 0] for e in forest.estimators_])
    near = np.concatenate([cuts, np.nextafter(cuts, np.inf), cuts.astype(np.float32)])
    rows = np.random.default_rng(0).choice(near, (2_000, FEATURES))
    scores = Forest(take_trees(forest)).score(rows)
    np.testing.assert_allclose(scores, -forest.score_samples(rows), rtol=0, atol=1e-9)
