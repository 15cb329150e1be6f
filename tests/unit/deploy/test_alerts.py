"""The alerts and the dashboard of deploy/ speak of metrics that there are, and the alerts fire when
they should and lead to a section of the runbook."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoreboard.telemetry import metrics
from scoreboard.telemetry.exposition import exposition
from tests.support.programs import program

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
CASES = Path(__file__).with_name("alerts.yml")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")

ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]


def dashboard_queries() -> list[str]:
    """What the panels and variables of the dashboard ask for."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "scoreboard.json").read_text())
    queries = [target["expr"] for p in dashboard["panels"] for target in p.get("targets", ())]
    return queries + [v["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]


def exposed() -> set[str]:
    """The names of the series in a scrape."""
    kinds = re.findall(r"^# TYPE (\w+) (\w+)$", exposition().decode(), re.MULTILINE)
    return {
        name + ending
        for name, kind in kinds
        for ending in (("_bucket", "_count", "_sum") if kind == "histogram" else ("",))
    }


def labels_of_metrics() -> set[str]:
    """The names of all labels that the service sets, and those that Prometheus adds."""
    ours = [getattr(metric, "_labelnames", ()) for metric in vars(metrics).values()]
    return {"version", "le", "job", "instance"}.union(*ours)


QUERIES = [alert["expr"] for alert in ALERTS] + dashboard_queries()


def test_every_metric_and_label_that_is_asked_for_is_there() -> None:
    text = "\n".join(QUERIES)
    asked = set(re.findall(r"\bscoreboard_\w+", text))
    selectors = re.findall(r"\{([^}]*)\}", text)
    labels = {label for inner in selectors for label in re.findall(r"(\w+)\s*[=!]", inner)}
    labels |= {
        label.strip()
        for inner in re.findall(r"\bby \(([^)]*)\)", text)
        for label in inner.split(",")
    }

    assert len(asked) > 20
    assert asked - exposed() == set()
    assert labels - labels_of_metrics() == set()


def test_every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() -> None:
    sections = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)

    assert sections == [alert["alert"] for alert in ALERTS]
    for alert in ALERTS:
        assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"
        assert alert["labels"]["severity"] in {"page", "ticket"}
    for section in re.split(r"^### \w+$", RUNBOOK, flags=re.MULTILINE)[1:]:
        for part in ("**Means**:", "**Look at**:", "**Do**:"):
            assert part in section


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    fired = set(re.findall(r'alertname="(\w+)"', CASES.read_text()))
    for test in yaml.safe_load(CASES.read_text())["tests"]:
        for case in test.get("alert_rule_test", ()):
            if case["exp_alerts"]:
                fired.add(case["alertname"])

    assert {alert["alert"] for alert in ALERTS} - fired == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "deploy/prometheus/prometheus.yml"),
        ("test", "rules", CASES.relative_to(ROOT).as_posix()),
    ],
)
def test_promtool_finds_the_rules_sound(arguments: tuple[str, ...]) -> None:
    promtool = program("promtool", package="prometheus")
    done = subprocess.run(
        [promtool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_can_read_every_query_of_the_dashboard(tmp_path: Path) -> None:
    promtool = program("promtool", package="prometheus")
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(dashboard_queries())
        if not query.startswith("label_values(")
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
