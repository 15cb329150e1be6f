"""What has been answered so far, in a few numbers, for people who watch how these grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import REGISTRY

from scoreboard.telemetry import metrics, sharing

LIVE = "/ws/"  # what such a route answers is open for hours, which is no latency


@dataclass(frozen=True, slots=True)
class Figures:
    """Since the start: ``answers`` by the class of their status, such as ``2xx``; ``latencies``,
    how many of them took up to each of LATENCIES seconds, and last all; ``actions`` by outcome. And
    now: ``websockets`` held."""

    answers: Mapping[str, int]
    latencies: Sequence[int]
    actions: Mapping[str, int]
    websockets: int


def figures() -> Figures:
    """Those of this process, or of all that share theirs. Takes milliseconds, so it is called in a
    thread."""
    shared = sharing.folder()
    registry = REGISTRY if shared is None else sharing.gathered(shared)
    answers: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    latencies: Counter[float] = Counter(dict.fromkeys((*metrics.LATENCIES, float("inf")), 0))
    websockets = 0
    for family in registry.collect():
        for sample in family.samples:
            labels: Mapping[str, Any] = sample.labels
            match sample.name:
                case "scoreboard_http_requests_total":
                    answers[f"{labels['status'][0]}xx"] += int(sample.value)
                case "scoreboard_http_request_seconds_bucket":
                    if not labels["route"].startswith(LIVE):
                        latencies[float(labels["le"])] += int(sample.value)
                case "scoreboard_actions_total":
                    actions[labels["outcome"]] += int(sample.value)
                case "scoreboard_websocket_connections":
                    websockets += int(sample.value)
    return Figures(answers, [latencies[bound] for bound in sorted(latencies)], actions, websockets)
