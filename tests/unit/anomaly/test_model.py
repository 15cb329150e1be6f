"""A model as bytes, and how it is trained."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
import pytest

from scoreboard.anomaly import agents
from scoreboard.anomaly.agent import Agent
from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.model import MODEL_FORMAT, Model, UnusableModel
from scoreboard.anomaly.trained import TrainedAgent
from scoreboard.anomaly.training import LEAST_ACTIONS, TrainingOptions, train
from scoreboard.errors import InvalidRequest
from scripts.synthetic_season import season

SMALL = TrainingOptions(seed=3, trees=10, samples=64)


def test_a_model_survives_its_bytes(model: Model) -> None:
    assert Model.from_bytes(model.to_bytes()) == model


def test_the_same_seed_and_actions_make_the_same_bytes() -> None:
    cases = season(players=20, days=20)
    assert train(cases, SMALL).to_bytes() == train(cases, SMALL).to_bytes()
    other = TrainingOptions(seed=4, trees=10, samples=64)
    assert train(cases, other).agents["behavior"] != train(cases, SMALL).agents["behavior"]


def test_damaged_bytes_and_other_formats_are_refused(model: Model) -> None:
    good = model.to_bytes()
    other = msgspec.structs.replace(model, format=MODEL_FORMAT + 1).to_bytes()
    no_text = zlib.compress(zlib.decompress(good).replace(b"behavior", b"behavio\xff"))
    for strange in (b"", b"not a model", good[:-20], good[:100], other, no_text):
        with pytest.raises(UnusableModel):
            Model.from_bytes(strange)


def test_a_model_of_other_features_is_refused(model: Model) -> None:
    name, trained = next(iter(model.agents.items()))
    renamed = [msgspec.structs.replace(trained.features[0], name="other"), *trained.features[1:]]
    for features in (renamed, trained.features[1:]):
        other = msgspec.structs.replace(trained, features=features)
        with pytest.raises(UnusableModel, match="other features"):
            Gate(msgspec.structs.replace(model, agents={**model.agents, name: other}))


@pytest.mark.parametrize("agent", agents.REGISTERED, ids=lambda agent: str(agent.name))
def test_actions_with_nothing_unusual_are_judged_as_the_forest_judges_them(
    model: Model, agent: Agent
) -> None:
    trained = TrainedAgent(agent, model.agents[agent.name])
    calm = [0.0] * len(agent.features)
    unusual = [usual.high + 1 for usual in model.agents[agent.name].features]
    judged = trained.suspicions([calm, unusual, calm])
    by_forest = trained.forest.score(np.array([calm, unusual])) / trained.threshold
    assert judged[0] == judged[2] == pytest.approx(by_forest[0], rel=1e-12)
    assert judged[1] > judged[0]
    assert judged[1] == pytest.approx(trained.suspicions([unusual])[0], rel=1e-12)


def test_no_agent_refuses_more_of_the_training_actions_than_wanted(model: Model) -> None:
    refused = model.training.refused
    assert set(refused) == {*agents.names()}
    assert all(share <= model.training.false_alarm_rate for share in refused.values())


def test_an_agent_without_data_is_left_out() -> None:
    bare = [msgspec.structs.replace(case, context=None) for case in season(players=20, days=20)]
    trained = train(bare, SMALL).agents
    assert {"time", "behavior"} <= trained.keys()
    assert not {"location", "device"} & trained.keys()


def test_too_few_actions_are_not_trained_on() -> None:
    with pytest.raises(InvalidRequest, match="at least"):
        train(season()[: LEAST_ACTIONS - 1], SMALL)
