"""Give a season of score actions honest lives that a gate may not punish, and cheats when asked.

    .venv/bin/python -m scripts.make_honest season.csv.gz honest.csv.gz --life families --seed 1

Reads and writes what ``scripts/make_cheats.py`` does, whose contexts and cheats these are. The rows
made here have ``label`` 0; ``kind`` says whose an action is, so that `scoreboard evaluate` tells
what was refused of each.

One stream may have several lives (``--life`` again):

| life | kind | what is honest about it |
|---|---|---|
| families | family | every fourth user is in a family of two or three with one home and one |
| | | tablet; 30% to 60% of each one's actions are on it, at any moment |
| newcomers | newcomer | half as many new accounts as there are users: three sessions each, |
| | | of their own, on one to three devices; every other one travels |
| visitors | owner | of every tenth user: once, somebody else plays one action on the user's |
| | | phone; what the user plays on it in the 30 days after |
| travellers | honest | three trips in ten sessions, three new phones in a hundred |
| nights | night | every tenth user works nights each other week, and plays ten hours later then |
| christmas | honest | from 24 December on every other user has a new phone, three in ten are away |
| double | double | from a Friday 18:00 to a Monday 06:00 all points count double, as announced |
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from scoreboard.errors import InvalidRequest
from scripts.make_cheats import (
    CITIES,
    HOUR,
    City,
    Row,
    Season,
    add_cheats,
    add_contexts,
    blur,
    read_rows,
    write_rows,
)

DAY = 24 * HOUR
MEMORY = 30 * DAY
TRAVELLERS = 0.3, 0.03  # trips and new phones a session


def work_nights(rows: list[Row], rng: random.Random) -> None:
    """Before contexts are given, since it moves sessions."""
    workers = {user for user in {row.user_id: 0 for row in rows} if rng.random() < 0.1}
    first = {user: rng.randrange(2) for user in sorted(workers)}
    for row in rows:
        if row.user_id in workers and row.ts // (7 * DAY) % 2 == first[row.user_id]:
            row.ts, row.kind = row.ts + 10 * HOUR, "night"
    rows.sort(key=lambda row: row.ts)


def double_points(rows: list[Row]) -> tuple[int, int]:
    """Doubles a weekend's points, and returns when it was."""
    middle = (rows[0].ts + rows[-1].ts) // 2
    friday = middle - (middle // DAY + 3) % 7 * DAY  # 1970 began on a Thursday
    start = friday - friday % DAY + 4 * DAY + 18 * HOUR
    end = start + 60 * HOUR
    for row in rows:
        if start <= row.ts < end:
            row.points, row.kind = 2 * row.points, "double"
    return start, end


def homes_of(families: list[list[str]], rng: random.Random) -> dict[str, City]:
    return {user: home for one in families for home in [rng.choice(CITIES)] for user in one}


def draw_families(rows: list[Row], rng: random.Random) -> list[list[str]]:
    users = sorted({row.user_id for row in rows})
    rng.shuffle(users)
    families = []
    for _ in range(len(users) // 10):
        size = rng.choice((2, 2, 3))
        families.append([users.pop() for _ in range(size)])
    return families


def share_tablets(season: Season, families: list[list[str]]) -> None:
    for family in families:
        tablet, agent, share = season.device(), season.agent(), season.rng.uniform(0.3, 0.6)
        for user in family:
            for row in season.by_user[user]:
                row.kind = row.kind or "family"
                if season.rng.random() < share:
                    row.device_id, row.user_agent = tablet, agent


def newcomers(season: Season) -> list[Row]:
    rng, rows = season.rng, []
    for number in range(len(season.by_user) // 2):
        user = rng.choice(season.regulars)
        sessions = season.sessions[user]
        start = rng.randrange(max(1, len(sessions) - 3))
        later = rng.randint(0, 23) * HOUR
        home, devices = rng.choice(CITIES), [season.device() for _ in range(rng.randint(1, 3))]
        agent, travelling = season.agent(), rng.random() < 0.5
        for session in sessions[start : start + 3]:
            city = rng.choice(CITIES) if travelling else home
            place, device = blur(city, rng), rng.choice(devices)
            rows += [
                replace(
                    row,
                    ts=row.ts + later,
                    user_id=f"newcomer-{number}",
                    place=place,
                    device_id=device,
                    user_agent=agent,
                    kind="newcomer",
                )
                for row in session
            ]
    return rows


def visits(season: Season) -> None:
    rng = season.rng
    for _ in range(len(season.by_user) // 10):
        owned = season.anchor()
        visitor = min(
            season.by_user[rng.choice([u for u in season.regulars if u != owned.user_id])],
            key=lambda row: abs(row.ts - owned.ts),
        )
        visitor.device_id, visitor.user_agent = owned.device_id, owned.user_agent
        for row in season.by_user[owned.user_id]:
            if row.device_id == owned.device_id and 0 < row.ts - visitor.ts < MEMORY:
                row.kind = "owner"


def christmas(season: Season) -> None:
    year = datetime.fromtimestamp(next(iter(season.by_user.values()))[0].ts / 1000, UTC).year
    eve = round(datetime(year, 12, 24, tzinfo=UTC).timestamp() * 1000)
    for sessions in season.sessions.values():
        before = [s for s in sessions if s[-1].ts < eve]
        phone = season.rng.random() < 0.5 and (season.device(), season.agent())
        away = season.rng.random() < 0.3 and season.rng.choice(CITIES)
        since = eve + season.rng.uniform(0, 3) * DAY
        for session in sessions[len(before) :]:
            place = blur(away, season.rng) if away and session[0].ts < eve + 7 * DAY else None
            for row in session:
                if phone and session[0].ts > since:
                    row.device_id, row.user_agent = phone
                if place:
                    row.place = place


ADDED: dict[str, Callable[[Season], None]] = {"visitors": visits, "christmas": christmas}
LIVES = [*ADDED, "families", "newcomers", "travellers", "nights", "double"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("season", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--life", action="append", choices=LIVES, default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cheats", action="store_true", help="inject every kind, labelled 1")
    parser.add_argument("--scale", type=float, default=1.0, help="times the episodes of a kind")
    options = parser.parse_args()

    try:
        rows = read_rows(options.season)
    except InvalidRequest as error:
        parser.exit(1, f"{error.detail}\n")
    lives, rng = set(options.life), random.Random(options.seed)
    if "nights" in lives:
        work_nights(rows, rng)
    if "double" in lives:
        start, end = double_points(rows)
        print(f"double points: {datetime.fromtimestamp(start / 1000, UTC):%Y-%m-%dT%H:%M:%SZ} to "
              f"{datetime.fromtimestamp(end / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}")  # fmt: skip
    families = draw_families(rows, rng) if "families" in lives else []
    season = Season(rows, rng)
    travel, new_phone = TRAVELLERS if "travellers" in lives else (0.12, 0.01)
    add_contexts(season, travel, new_phone, homes_of(families, rng))
    share_tablets(season, families)
    for life, add in ADDED.items():
        if life in lives:
            add(season)
    rows += newcomers(season) if "newcomers" in lives else []
    rows += add_cheats(season, options.scale) if options.cheats else []
    write_rows(rows, options.out)


if __name__ == "__main__":
    main()
