"""No metric has a label whose values a client can choose."""

from __future__ import annotations

from prometheus_client import REGISTRY

from scoreboard.telemetry import metrics

# What bounds the number of each label's values.
BOUNDED = {
    "agent": "the list of agents",
    "code": "the table of problems",
    "feature": "the agents' lists of features",
    "how": "words in the code",
    "kind": "words in the code",
    "limit": "words in the code",
    "method": "the table of calls",
    "node": "node_figures.MOST",
    "outcome": "an enumeration",
    "part": "words in the code",
    "partition": "SCOREBOARD_PARTITIONS",
    "reason": "words in the code",
    "route": "the table of calls",
    "server": "words in the code",
    "status": "the statuses that the service answers with",
    "verdict": "approved or confirmed",
    "version": "one",
    "why": "words in the code",
}


def test_every_label_has_a_bound() -> None:
    declared = [kept for kept in vars(metrics).values() if hasattr(kept, "_labelnames")]
    assert len(declared) > 20
    for metric in declared:
        for label in metric._labelnames:
            assert label in BOUNDED, f"what bounds {label!r} of {metric._name}?"


def test_every_metric_is_declared_in_one_place() -> None:
    declared = {kept._name for kept in vars(metrics).values() if hasattr(kept, "_name")}
    registered = {metric.name for metric in REGISTRY.collect()}
    ours = {name for name in registered if name.startswith("scoreboard_")}
    assert ours == declared
