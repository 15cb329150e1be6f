"""Measure the anomaly gate's CPU time: one action, and batches of 64, all four agents; and a user's
week that has ended, by the memory, or by the 200 actions of which a lost one is made again.

    python -m scripts.bench.gate [--model MODEL --csv STREAM.csv.gz] [--actions 20000]

Plays the head of the stream to warm the profiles up, then judges its next actions against them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.rules import GateRules
from scoreboard.anomaly.training import train
from scoreboard.anomaly.weekly import WeekJudge
from scoreboard.commands.action_file import read_actions
from scoreboard.domain.judging import Case
from scoreboard.domain.weeks import WEEK_MS
from scoreboard.pg.cases import RECENT
from scripts.bench.figures import Bound, JsonFile, report
from scripts.synthetic_season import season

Memory = dict[str, bytes | None]


def remember(gate: Gate, cases: list[Case], profiles: Memory, devices: Memory) -> None:
    for start in range(0, len(cases), 512):
        batch = cases[start : start + 512]
        for case, judgement in zip(batch, gate.judge(batch, profiles, devices), strict=True):
            profiles[case.user_id] = judgement.profile_if_refused or judgement.profile
            if case.context and case.context.device_id:
                devices[case.context.device_id] = judgement.device


def least(work: Callable[[], object]) -> float:
    """Microseconds of CPU time, the best of five rounds: other work on the machine only adds."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        work()
        rounds.append((time.process_time() - began) * 1e6)
    return min(rounds)


def microseconds(gate: Gate, cases: list[Case], size: int, memory: tuple[Memory, Memory]) -> float:
    """An action in calls of ``size``."""

    def judge() -> None:
        for start in range(0, len(cases), size):
            gate.judge(cases[start : start + size], *memory)

    return least(judge) / len(cases)


def weeks(model: Model, cases: list[Case]) -> tuple[float, float]:
    """Microseconds for a user's latest week, by the memory, and by the actions of which a lost one
    is made; of users who have as many."""
    played: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        played[case.user_id].append(case)
    latest = [own[-RECENT:] for own in played.values()]
    judge, at_ms = WeekJudge(model), cases[-1].at_ms + WEEK_MS
    memories = [judge.recall(own) for own in latest]
    by_memory = least(lambda: [judge.reasons(memory, at_ms) for memory in memories])
    by_actions = least(lambda: [judge.reasons(judge.recall(own), at_ms) for own in latest])
    return by_memory / len(latest), by_actions / len(latest)


def main(
    model: Annotated[
        Path | None, typer.Option(help="Default: trained on a synthetic season.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Default: another synthetic season.")] = None,
    actions: Annotated[int, typer.Option(help="To warm the profiles up with.")] = 20_000,
    json: JsonFile = None,
) -> None:
    """Measure the gate's CPU time: one action, and batches of 64, all four agents; and a week."""
    if model:
        trained = Model.from_bytes(model.read_bytes())
    else:
        trained = train(season(players=100, days=60, seed=1))
    stream: Iterator[Case]
    if csv:
        stream = (row.case for row in read_actions(csv))
    else:
        stream = iter(season(players=100, days=60, seed=2))
    gate = Gate(trained, GateRules(max_age_ms=None))
    profiles: Memory = {}
    devices: Memory = {}
    remember(gate, list(islice(stream, actions)), profiles, devices)
    cases = list(islice(stream, 2_048))
    week, lost_week = weeks(trained, season(players=20, days=120, seed=3))
    sizes = [len(p) for p in profiles.values() if p]
    report(
        {
            "one_action_us": microseconds(gate, cases[:512], 1, (profiles, devices)),
            "batches_of_64_us": microseconds(gate, cases, 64, (profiles, devices)),
            "week_us": week,
            "lost_week_us": lost_week,
            "profile_bytes_mean": sum(sizes) / len(sizes),
            "profile_bytes_max": max(sizes),
        },
        json,
        targets={
            "one_action_us": Bound(400),
            "batches_of_64_us": Bound(60),
            "profile_bytes_max": Bound(1024),
        },
    )


if __name__ == "__main__":
    typer.run(main)
