"""The streams on which the gate is measured: seeded, labelled, and as their description says."""

from __future__ import annotations

import csv
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from scripts import make_cheats, make_honest
from scripts.synthetic_season import DAY, season

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("season") / "season.csv"
    lines = [
        f"{case.at_ms},{case.user_id},{case.at_ms // DAY}-{i},{case.points}"
        for i, case in enumerate(season(40, 30))
    ]
    path.write_text("\n".join(["ts,user_id,action_id,points", *lines]))
    return path


def made(monkeypatch: pytest.MonkeyPatch, plain: Path, *options: str) -> Rows:
    out = plain.with_name("out.csv")
    monkeypatch.setattr(sys, "argv", ["make_honest", str(plain), str(out), *options])
    make_honest.main()
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("life", make_honest.LIVES)
def test_the_same_seed_makes_the_same_honest_stream(
    monkeypatch: pytest.MonkeyPatch, plain: Path, life: str
) -> None:
    rows = made(monkeypatch, plain, "--life", life, "--seed", "4")
    assert rows == made(monkeypatch, plain, "--life", life, "--seed", "4")
    assert {row["label"] for row in rows} == {"0"}
    assert [int(row["ts"]) for row in rows] == sorted(int(row["ts"]) for row in rows)


def test_a_game_never_runs_out_of_action_ids() -> None:
    season = make_cheats.Season([], random.Random(1))
    ids = {season.action_id("season-7") for _ in range(1500)}
    numbers = {int(one.removeprefix("season-")) for one in ids}
    assert len(numbers) == 1500
    assert numbers >= set(range(2, 721)), "the numbers of a game come first"


def test_families_share_one_tablet(monkeypatch: pytest.MonkeyPatch, plain: Path) -> None:
    rows = made(monkeypatch, plain, "--life", "families")
    users: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        users[row["device_id"]].add(row["user_id"])
    family = {row["user_id"] for row in rows if row["kind"] == "family"}
    shared = [accounts for accounts in users.values() if accounts & family and len(accounts) > 1]
    assert len(shared) >= 4
    assert all(len(accounts) <= 3 for accounts in shared)


def test_a_farm_is_one_from_its_fourth_account_on(
    monkeypatch: pytest.MonkeyPatch, plain: Path
) -> None:
    rows = made(monkeypatch, plain, "--cheats", "--scale", "0.2")
    farms: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["kind"] in ("farm_start", "device_farm"):
            farms[row["device_id"]].append(row)
    assert farms
    for farm in farms.values():
        seen: set[str] = set()
        for row in farm:
            seen.add(row["user_id"])
            assert row["kind"] == ("farm_start" if len(seen) < 4 else "device_farm")
    kinds = Counter(row["kind"] for row in rows if row["label"] == "1")
    assert set(kinds) == set(make_cheats.KIND_NAMES)
