"""``scoreboard train`` and ``evaluate`` from file to file."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from scoreboard.anomaly import agents
from scoreboard.commands.evaluate import evaluate_command
from scoreboard.commands.train import train_command
from scoreboard.errors import ConfigurationError
from scripts.synthetic_season import season

pytest.importorskip("sklearn", reason="training needs the extra `train`")

COLUMNS = ["ts", "user_id", "action_id", "points", "latitude", "longitude"]
COLUMNS += ["country", "device_id", "user_agent", "label", "kind"]


def write_season(path: Path, seed: int, cheats: bool, days: int = 20) -> None:
    rows: list[list[Any]] = []
    for i, case in enumerate(season(players=30, days=days, seed=seed)):
        c = case.context
        assert c is not None
        where = c.latitude, c.longitude, c.country, c.device_id, c.user_agent
        rows.append([case.at_ms, case.user_id, i, case.points, *where, 0, "honest"])
        if cheats and i % 400 == 399:
            for k in range(12):
                at = case.at_ms + 90_000 + 1_200 * k
                rows.append([at, case.user_id, f"{i}-{k}", 1, *where, 1, "burst"])
    rows.sort(key=lambda row: row[0])
    with gzip.open(path, "wt", newline="") as out:
        csv.writer(out).writerows([COLUMNS, *rows])


def test_a_model_trained_on_one_season_catches_the_bursts_of_another(tmp_path: Path) -> None:
    write_season(tmp_path / "honest.csv.gz", seed=1, cheats=False)
    write_season(tmp_path / "labelled.csv.gz", seed=2, cheats=True)
    model, figures = tmp_path / "model", tmp_path / "figures.json"
    train_command(csv=tmp_path / "honest.csv.gz", save=model, seed=1)
    evaluate_command(
        model=model,
        csv=tmp_path / "labelled.csv.gz",
        json=figures,
        plot=tmp_path / "curves.svg",
    )
    found = json.loads(figures.read_text())
    burst = found["kinds"]["burst"]
    assert burst["recall"] == 1.0
    assert burst["recall_actions"] >= 11 / 12
    assert found["false_refusals"] < 0.02
    assert list(found["agents"]) == [*agents.names()]
    assert "<svg" in (tmp_path / "curves.svg").read_text()


def test_a_model_that_is_no_file_is_told_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for model in (tmp_path / "fifo", Path(os.devnull)):
        with pytest.raises(ConfigurationError, match=f"{model} is a pipe or a device"):
            evaluate_command(model=model, csv=tmp_path / "labelled.csv.gz")


def test_rows_labelled_as_cheats_are_not_trained_on(tmp_path: Path) -> None:
    write_season(tmp_path / "labelled.csv.gz", seed=1, cheats=True, days=9)
    write_season(tmp_path / "honest.csv.gz", seed=1, cheats=False, days=9)
    for name in ("labelled", "honest"):
        train_command(csv=tmp_path / f"{name}.csv.gz", save=tmp_path / name)
    assert (tmp_path / "labelled").read_bytes() == (tmp_path / "honest").read_bytes()
