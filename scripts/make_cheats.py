"""Give a season of score actions honest contexts, and cheats when asked.

    .venv/bin/python scripts/make_cheats.py season.csv.gz honest.csv.gz --seed 1
    .venv/bin/python scripts/make_cheats.py season.csv.gz labelled.csv.gz --seed 2 --cheats

Reads ``ts,user_id,action_id,points`` (sorted; what ``scoreboard replay`` reads) and writes the same
columns, ``ts`` in epoch milliseconds, and ``latitude,longitude,country,device_id,user_agent,label,
kind``. One seed, one result.

Honest contexts. A session is a user's actions without a break of three hours. Every user has a
home city and one to three devices, one of them the favourite; a session is played from home or,
with ``--travel``, from another city, where the user stays for one to four sessions; a trip starts
only where the time since the last session allows 600 km/h. Places are blurred by a few km. With
``--new-phone`` a session starts on a device never seen before, which replaces one of the old ones;
user agents grow older versions' numbers now and then; 2% of users share a device with another.

Cheats (``label`` 1). Action ids look like those of the game around them; new accounts are named
like the others; every row keeps its victim's context unless the kind says otherwise.

| kind | what is injected |
|---|---|
| out_of_range | one action of 4 to 60 points, or of less than 1 |
| burst | 15 actions 0.8 to 3 s apart |
| metronome | 30 actions every 30.0 s |
| alternating | two accounts by turns every 8 to 15 s, 12 actions each; half on one device |
| impossible_travel | up to 3 actions 3,000 km or more away, 3 to 30 minutes after another |
| takeover | 6 to 10 actions at natural gaps, new device, 1,500 km or more from any old place |
| device_farm | 4 to 40 accounts, a third of them new, on one device, 2 to 6 actions each, |
| | all within 1 to 72 hours; from the fourth account's first action on |
| farm_start | what a farm does before that, when it looks like a household |
| odd_hours | 5 to 10 actions in an hour of the day in which the user never plays |
| stealth | 3 to 7 extra threes at natural gaps within a session |
| padding | for a week 3% to 10% more points, in single actions at natural gaps |
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from scoreboard.commands.action_file import read_actions
from scoreboard.errors import InvalidRequest

HOUR = 3_600_000
SESSION_BREAK = 3 * HOUR
CONTEXT = ["latitude", "longitude", "country", "device_id", "user_agent"]
COLUMNS = ["ts", "user_id", "action_id", "points", *CONTEXT, "label", "kind"]

CITIES = [
    (40.71, -74.01, "US"), (34.05, -118.24, "US"), (41.88, -87.63, "US"), (29.76, -95.37, "US"),
    (33.75, -84.39, "US"), (39.74, -104.99, "US"), (25.76, -80.19, "US"), (47.61, -122.33, "US"),
    (42.36, -71.06, "US"), (45.52, -122.68, "US"), (38.91, -77.04, "US"), (32.78, -96.80, "US"),
    (43.65, -79.38, "CA"), (49.28, -123.12, "CA"), (19.43, -99.13, "MX"), (51.51, -0.13, "GB"),
    (48.86, 2.35, "FR"), (52.52, 13.40, "DE"), (40.42, -3.70, "ES"), (41.90, 12.50, "IT"),
    (59.33, 18.07, "SE"), (52.23, 21.01, "PL"), (37.98, 23.73, "GR"), (41.01, 28.98, "TR"),
    (44.79, 20.45, "RS"), (54.69, 25.28, "LT"), (30.04, 31.24, "EG"), (6.52, 3.38, "NG"),
    (-26.20, 28.05, "ZA"), (-23.55, -46.63, "BR"), (-34.60, -58.38, "AR"), (4.71, -74.07, "CO"),
    (35.68, 139.69, "JP"), (37.57, 126.98, "KR"), (31.23, 121.47, "CN"), (14.60, 120.98, "PH"),
    (1.35, 103.82, "SG"), (19.08, 72.88, "IN"), (-33.87, 151.21, "AU"), (-36.85, 174.76, "NZ"),
]  # fmt: skip
AGENTS = [
    "Game/{v}.0 (iPhone; iOS 17)", "Game/{v}.2 (Android 14; Pixel)", "Game/{v}.1 (Windows 11)",
    "Game/{v}.0 (iPad; iOS 17)", "Game/{v}.5 (Android 13; Galaxy)", "Game/{v}.3 (macOS 14)",
]  # fmt: skip

City = tuple[float, float, str]
"""Or any place: degrees and the country."""


@dataclass(slots=True)
class Row:
    ts: int
    user_id: str
    action_id: str
    points: int
    place: City = (0.0, 0.0, "")
    device_id: str = ""
    user_agent: str = ""
    kind: str = ""


def km(a: City, b: City) -> float:
    """Great-circle distance."""
    la, lb, dlon = math.radians(a[0]), math.radians(b[0]), math.radians(b[1] - a[1])
    cosine = math.sin(la) * math.sin(lb) + math.cos(la) * math.cos(lb) * math.cos(dlon)
    return 6371 * math.acos(max(-1.0, min(1.0, cosine)))


class Season:
    """The honest rows by user, and what the injections need to know about them."""

    def __init__(self, rows: list[Row], rng: random.Random) -> None:
        self.rng = rng
        self.by_user: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self.by_user[row.user_id].append(row)
        self.ids = {row.action_id for row in rows}
        self.sessions = {user: list(sessions(own)) for user, own in self.by_user.items()}
        self.gaps = [
            b.ts - a.ts
            for own in self.by_user.values()
            for a, b in pairwise(own)
            if b.ts - a.ts < SESSION_BREAK
        ]
        self.regulars = [user for user, own in self.by_user.items() if len(own) >= 60]

    def device(self) -> str:
        return f"{self.rng.getrandbits(64):016x}"

    def agent(self) -> str:
        return self.rng.choice(AGENTS).format(v=self.rng.randint(3, 6))

    def anchor(self, user: str | None = None) -> Row:
        """A random honest action of a user who has played for a while."""
        own = self.by_user[user or self.rng.choice(self.regulars)]
        return own[self.rng.randrange(min(40, len(own) // 2), len(own))]

    def far_city(self, user: str, least: float) -> City:
        """A city at least so many km from everywhere that the user ever plays."""
        played = {row.place for row in self.by_user[user]}
        nearest = {city: min(km(city, place) for place in played) for city in CITIES}
        far = [city for city in CITIES if nearest[city] >= least]
        return blur(self.rng.choice(far or [max(CITIES, key=nearest.__getitem__)]), self.rng)

    def action_id(self, like: str) -> str:
        game, last = like.rsplit("-", 1)[0], 720
        while (made := f"{game}-{self.rng.randint(2, last)}") in self.ids:
            if all(f"{game}-{number}" in self.ids for number in range(2, last + 1)):
                last *= 2  # there is none left
        self.ids.add(made)
        return made

    def cheat(self, kind: str, like: Row, ts: float, points: int | None = None) -> Row:
        """A row like an honest one at another moment; its points are drawn from the board's."""
        drawn = self.rng.choices((1, 2, 3), (25, 57, 18))[0] if points is None else points
        made = self.action_id(like.action_id)
        return replace(like, ts=round(ts), action_id=made, points=drawn, kind=kind)

    def run(self, kind: str, like: Row, start: float, gaps: list[float]) -> list[Row]:
        """An action at ``start`` and one after each gap (ms)."""
        rows = [self.cheat(kind, like, start)]
        for gap in gaps:
            start += gap
            rows.append(self.cheat(kind, like, start))
        return rows

    def natural(self, n: int) -> list[float]:
        return [float(self.rng.choice(self.gaps)) for _ in range(n)]


def blur(city: City, rng: random.Random) -> City:
    at = city[0] + rng.gauss(0, 0.05), city[1] + rng.gauss(0, 0.05)
    return round(at[0], 4), round(at[1], 4), city[2]


def sessions(own: list[Row]) -> Iterator[list[Row]]:
    session: list[Row] = []
    for row in own:
        if session and row.ts - session[-1].ts >= SESSION_BREAK:
            yield session
            session = []
        session.append(row)
    yield session


def add_contexts(
    season: Season, travel: float, new_phone: float, homes: dict[str, City] | None = None
) -> None:
    """Place, device and user agent of every session, in place. ``homes`` are of users whose home
    is not drawn."""
    rng = season.rng
    households: list[tuple[str, str]] = []
    for user in season.by_user:
        drawn = rng.choice(CITIES[:14]) if rng.random() < 0.8 else rng.choice(CITIES)
        home = drawn if homes is None else homes.get(user, drawn)
        devices = [(season.device(), season.agent()) for _ in range(rng.choice((1, 1, 2, 2, 3)))]
        if households and rng.random() < 0.02:
            devices.append(rng.choice(households))
        households.append(devices[0])
        city, stay, left = home, 0, 0
        for session in season.sessions[user]:
            gap = (session[0].ts - left) / HOUR
            if stay == 0 and rng.random() < travel:
                there = rng.choice(CITIES)
                if km(city, there) < 600 * gap:
                    city, stay = there, rng.randint(1, 4)
            elif stay == 0 and km(city, home) < 600 * gap:
                city = home
            stay = max(0, stay - 1)
            if rng.random() < new_phone:
                devices[rng.randrange(len(devices))] = (season.device(), season.agent())
            if rng.random() < 0.01:
                devices[0] = (devices[0][0], season.agent())
            device = devices[0] if rng.random() < 0.7 else rng.choice(devices)
            place = blur(city, rng)
            for row in session:
                row.place, row.device_id, row.user_agent = place, *device
            left = session[-1].ts


def out_of_range(s: Season) -> list[Row]:
    like = s.anchor()
    points = s.rng.choice((s.rng.randint(4, 60), s.rng.randint(-5, 0)))
    return [s.cheat("out_of_range", like, like.ts + s.natural(1)[0], points)]


def burst(s: Season) -> list[Row]:
    like = s.anchor()
    gaps = [s.rng.uniform(800, 3000) for _ in range(14)]
    return s.run("burst", like, like.ts + s.natural(1)[0], gaps)


def metronome(s: Season) -> list[Row]:
    like = s.anchor()
    return s.run("metronome", like, like.ts + s.natural(1)[0], [30_000.0] * 29)


def alternating(s: Season) -> list[Row]:
    first = s.anchor()
    second = s.anchor(s.rng.choice([u for u in s.regulars if u != first.user_id]))
    if s.rng.random() < 0.5:
        second = replace(second, device_id=first.device_id, user_agent=first.user_agent)
        second = replace(second, place=first.place)
    second = replace(second, action_id=first.action_id)
    at, rows = first.ts + s.natural(1)[0], []
    for turn in range(24):
        rows.append(s.cheat("alternating", (first, second)[turn % 2], at))
        at += s.rng.uniform(8_000, 15_000)
    return rows


def impossible_travel(s: Season) -> list[Row]:
    like = s.anchor()
    there = replace(like, place=s.far_city(like.user_id, 3000))
    start = like.ts + s.rng.uniform(3, 30) * 60_000
    return s.run("impossible_travel", there, start, [g for g in s.natural(2) if g < HOUR])


def takeover(s: Season) -> list[Row]:
    like = s.anchor()
    thief = replace(like, place=s.far_city(like.user_id, 1500), device_id=s.device())
    thief = replace(thief, user_agent=s.agent())
    hours = s.rng.uniform(14, 34)
    return s.run("takeover", thief, like.ts + hours * HOUR, s.natural(s.rng.randint(5, 9)))


def device_farm(s: Season) -> list[Row]:
    like = s.anchor()
    device, agent, rows = s.device(), s.agent(), []
    accounts, hours = s.rng.randint(4, 40), math.exp(s.rng.uniform(math.log(1), math.log(72)))
    for account in range(accounts):
        own = s.anchor() if account % 3 else replace(like, user_id=new_name(s))
        own = replace(own, action_id=like.action_id, device_id=device, user_agent=agent)
        start = like.ts + s.rng.uniform(0, hours) * HOUR
        rows += s.run("device_farm", own, start, s.natural(s.rng.randint(1, 5)))
    seen: set[str] = set()
    for row in sorted(rows, key=lambda row: row.ts):
        seen.add(row.user_id)
        if len(seen) < 4:
            row.kind = "farm_start"
    return rows


def new_name(s: Season) -> str:
    known = s.rng.choice(list(s.by_user))
    return f"{known[:-2]}{s.rng.randint(3, 60):02d}"


def odd_hours(s: Season) -> list[Row]:
    like = s.anchor()
    played = {row.ts // HOUR % 24 for row in s.by_user[like.user_id]}
    odd = [hour for hour in range(24) if hour not in played]
    midnight = like.ts - like.ts % (24 * HOUR)
    start = float(midnight + s.rng.choice(odd or [11]) * HOUR)
    start += 24 * HOUR * (start < like.ts) + s.rng.uniform(0, 0.3) * HOUR
    gaps = [min(g, 0.1 * HOUR) for g in s.natural(s.rng.randint(4, 9))]
    return s.run("odd_hours", like, start, gaps)


def stealth(s: Season) -> list[Row]:
    like = s.anchor()
    session = next(x for x in s.sessions[like.user_id] if x[0].ts <= like.ts <= x[-1].ts)
    at, rows = float(session[0].ts), []
    for gap in s.natural(s.rng.randint(3, 7)):
        at += gap
        rows.append(s.cheat("stealth", like, at, 3))
    return rows


def padding(s: Season) -> list[Row]:
    like = s.anchor()
    own, week = s.by_user[like.user_id], range(like.ts, like.ts + 7 * 24 * HOUR)
    played = [row for row in own if row.ts in week]
    wanted = s.rng.uniform(0.03, 0.10) * sum(row.points for row in played)
    rows: list[Row] = []
    while sum(row.points for row in rows) < wanted:
        before = s.rng.choice(played)
        rows.append(s.cheat("padding", before, before.ts + s.natural(1)[0]))
    return rows


KINDS: dict[Callable[[Season], list[Row]], int] = {
    out_of_range: 150, burst: 40, metronome: 25, alternating: 25, impossible_travel: 80,
    takeover: 40, device_farm: 8, odd_hours: 50, stealth: 60, padding: 60,
}  # fmt: skip


KIND_NAMES = [*(make.__name__ for make in KINDS), "farm_start"]


def add_cheats(season: Season, scale: float) -> list[Row]:
    """Episodes of every kind, ``scale`` times as many as ``KINDS`` says."""
    return [
        row
        for make, episodes in KINDS.items()
        for _ in range(max(1, round(episodes * scale)))
        for row in make(season)
    ]


def read_rows(path: Path) -> list[Row]:
    """The season's actions. Raises InvalidRequest."""
    return [
        Row(one.at_ms, one.action.user_id, one.action.action_id, one.action.points)
        for one in read_actions(path, COLUMNS[:4])
    ]


def write_rows(rows: list[Row], path: Path) -> None:
    """The labelled stream; an honest row's kind may say whose it is."""
    cheats = {*KIND_NAMES}
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for row in sorted(rows, key=lambda row: row.ts):
            made = (row.ts, row.user_id, row.action_id, row.points, *row.place)
            label = int(row.kind in cheats)
            writer.writerow((*made, row.device_id, row.user_agent, label, row.kind or "honest"))
    print(f"{len(rows)} actions, {sum(row.kind in cheats for row in rows)} of them cheats")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("season", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cheats", action="store_true", help="inject every kind, labelled 1")
    parser.add_argument("--travel", type=float, default=0.12, help="trips started a session")
    parser.add_argument("--new-phone", type=float, default=0.01, help="new devices a session")
    parser.add_argument("--scale", type=float, default=1.0, help="times the episodes of a kind")
    options = parser.parse_args()

    try:
        rows = read_rows(options.season)
    except InvalidRequest as error:
        parser.exit(1, f"{error.detail}\n")
    season = Season(rows, random.Random(options.seed))
    add_contexts(season, options.travel, options.new_phone)
    write_rows([*rows, *(add_cheats(season, options.scale) if options.cheats else ())], options.out)


if __name__ == "__main__":
    main()
