"""The figures of a run, as they are kept in JSON and shown in the report."""

from __future__ import annotations

import msgspec

from scripts.load.histograms import Latency
from scripts.load_test.audit import Check
from scripts.load_test.plan import Plan

FORMAT = 1


class Series(msgspec.Struct, frozen=True):
    """One value for each interval of ``step`` seconds after the start; latencies in ms;
    None where nothing was measured. ``cpu`` is in cores."""

    step: float
    accepted: list[float]
    duplicates: list[float]
    refused: list[float]
    post_p50: list[float | None]
    post_p99: list[float | None]
    post_max: list[float | None]
    delivery_p50: list[float | None]
    delivery_p99: list[float | None]
    cpu: dict[str, list[float | None]]
    backlog: list[float | None]


class Generator(msgspec.Struct, frozen=True):
    """How well the generator kept its own timetable: ``lag`` from due to the moment it got to a
    call; CPU in cores, of the busiest sender, of the busiest watcher, of other programs on the
    machine (None when the server is not our own); ``warnings`` say when the figures are the
    generator's or the machine's rather than the server's."""

    lag: Latency
    sender_cpu: float
    watcher_cpu: float
    machine_busy: float
    others_cpu: float | None
    warnings: list[str]


class WriteBehind(msgspec.Struct, frozen=True):
    """Events that Postgres lacked: ``mean`` and ``max`` in the measured time; ``lag`` is the mean
    delay in seconds by Little's law (events waiting / events a second); ``drained`` the seconds
    after the end until none was left. None where the server doesn't say."""

    mean: float | None
    max: int | None
    lag: float | None
    drained: float | None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies count from the instant at which a call was due. ``service`` counts from when it
    was written to a connection. ``delivery`` is from the instant at which an action was due to
    the arrival of a top 10 that covers it, for each client. Rates are a second,
    ``duplicate_rate`` that of deliberate duplicates that were recognised. ``cpu`` is in ms for a
    thousand actions answered, by part of the server."""

    format: int = FORMAT
    finished: str
    url: str
    own_server: bool
    plan: Plan
    machine: dict[str, str]
    accepted_rate: float
    duplicate_rate: float
    refused_rate: float
    post: Latency
    service: Latency
    delivery: Latency
    probes: int
    undelivered: int
    outcomes: dict[str, int]
    cpu: dict[str, float]
    write_behind: WriteBehind
    generator: Generator
    reconnects: int
    series: Series
    audit: list[Check]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.audit)


def load(text: bytes) -> Results:
    """Results of an earlier run. Raises ValueError saying why ``text`` is of no use."""
    try:
        results = msgspec.json.decode(text, type=Results)
    except msgspec.DecodeError as error:
        raise ValueError(f"not the JSON of a load test ({error})") from error
    if results.format != FORMAT:
        raise ValueError(f"written in format {results.format}, this is format {FORMAT}")
    return results
