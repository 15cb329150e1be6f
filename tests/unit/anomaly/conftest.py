from __future__ import annotations

import pytest

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.training import TrainingOptions, train
from scripts.synthetic_season import season
from tests.unit.anomaly.players import ANY_AGE, Table

pytest.importorskip("sklearn", reason="training needs the extra `train`")


@pytest.fixture(scope="session")
def model() -> Model:
    return train(season(), TrainingOptions(seed=1, trees=50, samples=128))


@pytest.fixture
def table(model: Model) -> Table:
    """A gate that knows a season's board but nobody on it."""
    return Table(Gate(model, ANY_AGE))
