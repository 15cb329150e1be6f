"""An agent is one file and one line of the registry: shown with a fifth one."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import msgspec
import pytest

from scoreboard.anomaly import agents
from scoreboard.anomaly.agent import Agent, Feature, Scene
from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.rules import GateRules
from scoreboard.anomaly.training import TrainingOptions, train
from scoreboard.commands.evaluate import evaluate_command
from scoreboard.commands.train import train_command
from scoreboard.domain.judging import Case, Reason
from scripts.synthetic_season import DAY, LONDON, season
from tests.unit.anomaly.players import ANY_AGE, Table
from tests.unit.commands.test_train_and_evaluate import write_season

DOCUMENT = Path(__file__).parents[3] / "docs" / "anomaly.md"
SMALL = TrainingOptions(seed=3, trees=10, samples=64)


def look(scene: Scene) -> list[float] | None:
    countries = scene.profile.countries
    return [float(len(countries))] if countries else None


def _too_many(scene: Scene, row: list[float], rules: GateRules) -> Reason | None:
    return Reason("nomad", "countries", row[0], 0.0, 1.0, "countries", "") if row[0] > 1 else None


def _from_nowhere(case: Case, rules: GateRules) -> Reason | None:
    if case.context is None or case.context.country != "XX":
        return None
    return Reason("nomad", "country", 1.0, 0.0, 0.0, "", "comes from nowhere")


NOMAD = Agent("nomad", (Feature("countries", "countries", "plays all over the world"),), look)


@pytest.fixture
def fifth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "REGISTERED", (*agents.REGISTERED, NOMAD))


def nomads(model: Model) -> Table:
    """A table at which Ann has played in three countries, one more than anybody of the season."""
    table = Table(Gate(model, ANY_AGE))
    for country in ("GB", "FR", "BE"):
        table.act(after=DAY / 1000, place=(*LONDON[:2], country))
    return table


def test_a_fifth_agent_is_trained_stored_loaded_and_judges(fifth: None) -> None:
    model = Model.from_bytes(train(season(players=20, days=20), SMALL).to_bytes())
    assert list(model.agents) == [*agents.names()]
    assert model.training.refused["nomad"] <= model.training.false_alarm_rate
    judgement = nomads(model).act(after=DAY / 1000)
    (reason,) = (reason for reason in judgement.reasons if reason.agent == "nomad")
    assert judgement.refused_by[-1] == "nomad"
    assert judgement.scores["nomad"] == pytest.approx(1.1, abs=0.11)
    assert (reason.value, reason.unit) == (3.0, "countries")
    assert reason.high < 3.0
    assert reason.text == "plays all over the world"


def test_a_fifth_agent_leaves_the_others_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = season(players=20, days=20)
    before = train(cases, SMALL)
    monkeypatch.setattr(agents, "REGISTERED", (*agents.REGISTERED, NOMAD))
    after = train(cases, SMALL)
    encoded = msgspec.msgpack.encode
    assert {name: encoded(after.agents[name]) for name in before.agents} == {
        name: encoded(agent) for name, agent in before.agents.items()
    }


def test_a_model_from_before_the_fifth_agent_serves_and_the_fifth_abstains(
    model: Model, fifth: None
) -> None:
    judgement = nomads(model).act(after=DAY / 1000)
    assert judgement.scores["nomad"] is None
    assert judgement.scores["behavior"] is not None


def test_a_model_with_an_agent_that_is_no_longer_registered_serves_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(agents, "REGISTERED", (*agents.REGISTERED, NOMAD))
        model = train(season(players=20, days=20), SMALL)
    assert "nomad" in model.agents
    assert "nomad" not in nomads(model).act(after=DAY / 1000).scores


def test_an_exact_rule_of_a_fifth_agent_holds_without_a_model_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict = Agent(NOMAD.name, NOMAD.features, look, rule=_too_many)
    monkeypatch.setattr(agents, "REGISTERED", (*agents.REGISTERED, strict))
    table = Table(Gate(None, ANY_AGE))
    table.act(place=(*LONDON[:2], "GB"))
    table.act(after=60, place=(*LONDON[:2], "FR"))
    assert table.act(after=60, place=(*LONDON[:2], "BE")).refused_by == ("nomad",)


def test_a_case_that_a_fifth_agent_doubts_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doubting = Agent(NOMAD.name, NOMAD.features, look, doubt=_from_nowhere)
    monkeypatch.setattr(agents, "REGISTERED", (*agents.REGISTERED, doubting))
    table = Table(Gate(None, ANY_AGE))
    first = table.act(place=LONDON)
    doubted = table.act(after=60, place=(*LONDON[:2], "XX"))
    assert doubted.refused_by == ("nomad",)
    assert (doubted.profile, doubted.device) == (first.profile, first.device)
    assert doubted.profile_if_refused is None


def test_the_commands_train_and_evaluate_a_fifth_agent(
    fifth: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_season(tmp_path / "season.csv.gz", seed=1, cheats=False, days=9)
    figures = tmp_path / "figures.json"
    train_command(csv=tmp_path / "season.csv.gz", save=tmp_path / "model")
    assert "nomad: refuses" in capsys.readouterr().err
    evaluate_command(model=tmp_path / "model", csv=tmp_path / "season.csv.gz", json=figures)
    assert list(msgspec.json.decode(figures.read_bytes())["agents"]) == [*agents.names()]
    assert "nomad" in capsys.readouterr().out


def test_training_names_every_agent_that_abstains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{case.at_ms},{case.user_id},{case.points}" for case in season(players=20, days=20)]
    (tmp_path / "bare.csv").write_text("\n".join(["ts,user_id,points", *rows]))
    train_command(csv=tmp_path / "bare.csv", save=tmp_path / "model")
    printed = capsys.readouterr().err
    trained = Model.from_bytes((tmp_path / "model").read_bytes()).agents
    assert not {"location", "device"} & trained.keys()
    abstaining = [name for name in agents.names() if name not in trained]
    assert re.findall(r"(\w+): too little data; abstains", printed) == abstaining


def test_every_file_of_an_agent_is_registered() -> None:
    modules = {module.name for module in pkgutil.iter_modules(agents.__path__)}
    assert modules == set(agents.names())


def test_no_two_agents_and_no_two_features_of_an_agent_have_the_same_name() -> None:
    assert len(set(agents.names())) == len(agents.REGISTERED)
    for agent in agents.REGISTERED:
        assert len({feature.name for feature in agent.features}) == len(agent.features)


def test_the_document_lists_the_features_of_every_agent_in_order() -> None:
    section = DOCUMENT.read_text().split("## Features", 1)[1].split("\n## ", 1)[0]
    listed: dict[str, list[str]] = {}
    for agent, features in re.findall(r"^\| (\w*) ?\| (`.*?`) \|", section, re.MULTILINE):
        name = agent or list(listed)[-1]
        listed.setdefault(name, []).extend(re.findall(r"`(\w+)`", features))
    assert list(listed.items()) == [
        (agent.name, [feature.name for feature in agent.features]) for agent in agents.REGISTERED
    ]
