"""Every user of the first days of a real season is explained, in a period too, and it adds up.

tests/e2e/test_season.py does so for the whole season, without the pages of HTTP.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.described_api import Api
from tests.integration.api.test_outages import persisted
from tests.integration.api.test_periods import WEEK

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
SEASON = DATA / "nba_2016_17.csv.gz"
ACTIONS = 1_000
BOARD = "/api/boards/nba"


def actions() -> list[dict[str, Any]]:
    if not SEASON.exists():
        pytest.skip(f"the season's actions are not at {SEASON}")
    with gzip.open(SEASON, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(ACTIONS), strict=False)]
    return [
        {"userId": row["user_id"], "actionId": row["action_id"], "points": int(row["points"])}
        for row in rows
    ]


async def test_the_explanation_of_every_user_adds_up(api: Api) -> None:
    season = actions()
    admin = api.bearing(api.service.token("admin"))
    rules = {"periods": [WEEK]}
    assert (await admin.call("PUT", "/api/admin/boards/nba", json=rules)).status == 200
    for first in range(0, len(season), 1000):
        some = {"actions": season[first : first + 1000]}
        assert (await api.post(f"{BOARD}/scores", some)).status == 200
    await persisted(api)

    page = (await api.get(f"{BOARD}/standings?period=week&limit=1000")).json["standings"]
    assert len(page) == len({one["userId"] for one in season}) > 100
    for place, standing in enumerate(page):
        user = standing["userId"]
        why = (await api.get(f"{BOARD}/users/{user}/explain?period=week&limit=1000")).json
        points = {one["actionId"]: one["points"] for one in why["actions"]}
        assert points == {one["actionId"]: one["points"] for one in season if one["userId"] == user}
        total = sum(points.values())
        assert why["score"] == why["ledger"]["score"] == standing["score"] == total
        assert (why["rank"], why["ledger"]["actions"]) == (standing["rank"], len(points))
        for neighbour, at in ((why["above"], place - 1), (why["below"], place + 1)):
            inside = 0 <= at < len(page)
            assert (neighbour and neighbour["userId"]) == (page[at]["userId"] if inside else None)
