"""The report and the JSON behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from scripts.load import histograms
from scripts.load_test import report, results
from scripts.load_test.audit import Check
from scripts.load_test.charts import charts
from scripts.load_test.comparison import compared, differing_settings
from scripts.load_test.plan import Plan
from scripts.load_test.results import Generator, Results, Series, WriteBehind

SVG = "{http://www.w3.org/2000/svg}"
TITLES = {
    "POST latency over time",
    "Latency by percentile",
    "POST to WebSocket over time",
    "Answers",
    "Server CPU",
    "Not yet in Postgres",
}
HOSTILE = "u1 <script>alert(1)</script> & more"


@pytest.fixture
def make_results(make_plan: Callable[..., Plan]) -> Callable[..., Results]:
    """Results of a run of three seconds; any figure can be given."""

    def make(**figures: Any) -> Results:
        rng = np.random.default_rng(1)
        latency = histograms.latency((rng.exponential(2e6, 5000) + 5e5).astype(np.int64))
        series = Series(
            step=1.0,
            accepted=[190.0, 200.0, 201.5],
            duplicates=[10.0, 9.0, 8.0],
            refused=[0.0, 0.0, 1.0],
            post_p50=[1.0, None, 1.2],
            post_p99=[3.0, None, 4.0],
            post_max=[9.0, None, 12.0],
            delivery_p50=[2.0, 2.5, 3.0],
            delivery_p99=[50.0, 51.0, 52.0],
            cpu={"api": [0.1, 0.2, 0.3], "Valkey": [0.1, 0.1, None]},
            backlog=[0, 10, None],
        )
        filled: dict[str, Any] = {
            "finished": "2026-01-31T18:00:00+00:00",
            "url": "http://127.0.0.1:8080",
            "own_server": True,
            "plan": make_plan(duration=3.0),
            "machine": {"cores": "2"},
            "accepted_rate": 200.0,
            "duplicate_rate": 9.0,
            "refused_rate": 0.3,
            "post": latency,
            "service": latency,
            "delivery": latency,
            "probes": 30,
            "undelivered": 0,
            "outcomes": {"200": 591, "409 duplicate_action": 27},
            "cpu": {"api": 60.0, "Valkey": 30.0},
            "write_behind": WriteBehind(5.0, 10, 0.025, 0.1),
            "generator": Generator(latency, 0.1, 0.05, 0.5, None, []),
            "reconnects": 0,
            "series": series,
            "audit": [Check("Boards", "21 users' totals")],
        }
        return Results(**(filled | figures))

    return make


def test_the_page_needs_nothing_else_and_shows_the_main_figures(
    make_results: Callable[..., Results],
) -> None:
    found = make_results()
    page = report.page(found)

    # What is referred to is in the page itself.
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\((?!#)""", page)
    assert "light dark" in page
    assert 'name="viewport"' in page
    assert "Audit passed" in page
    assert f" {found.post.p999:.0f} ms " in page
    assert "409 duplicate_action" in page


def _is_line(path: ElementTree.Element) -> bool:
    """It is one of the figures, not of the frame around them."""
    return "clip-path" in path.attrib and "stroke-width: 1.5" in path.get("style", "")


def test_every_chart_is_well_formed_and_leaves_gaps_where_nothing_was_measured(
    make_results: Callable[..., Results],
) -> None:
    drawings = [ElementTree.fromstring(drawing) for drawing in charts(make_results(), None)]

    titles = [{text.text for text in drawing.iter(f"{SVG}text")} & TITLES for drawing in drawings]
    assert set().union(*titles) == TITLES
    assert all(len(title) == 1 for title in titles)
    latency = [path.get("d", "") for path in drawings[0].iter(f"{SVG}path") if _is_line(path)]
    assert [(path.count("M"), path.count("L")) for path in latency] == [(2, 0)] * 3


def test_a_failed_audit_is_what_the_page_says_first_and_its_text_is_escaped(
    make_results: Callable[..., Results],
) -> None:
    page = report.page(make_results(audit=[Check("Boards", "21 totals", [HOSTILE])]))

    assert "Audit failed" in page
    assert page.index("Audit failed") < page.index("<svg")
    assert "u1 &lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "<script" not in page


def test_warnings_and_skipped_checks_are_shown(make_results: Callable[..., Results]) -> None:
    found = make_results()
    warned = msgspec.structs.replace(found.generator, warnings=["A sender used 99% of its core"])
    page = report.page(
        make_results(generator=warned, audit=[Check("Postgres", "totals", skipped="unknown")])
    )

    assert "A sender used 99% of its core" in page
    assert "not checked, unknown" in page
    assert "Audit passed" in page


def test_the_json_brings_back_the_results_with_their_histograms(
    make_results: Callable[..., Results],
) -> None:
    found = make_results()
    again = results.load(msgspec.json.encode(found))

    assert again == found
    histogram = HdrHistogram.decode(again.post.encoded)
    assert histogram.get_total_count() == 5000
    assert histogram.get_value_at_percentile(99) / 1000 == found.post.p99


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"{}", "not the JSON of a load test"), (b"no JSON", "not the JSON of a load test")],
)
def test_what_is_no_earlier_run_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        results.load(text)


def test_an_earlier_run_of_another_format_is_refused(
    make_results: Callable[..., Results],
) -> None:
    with pytest.raises(ValueError, match="format 99"):
        results.load(msgspec.json.encode(make_results(format=99)))


def test_a_comparison_shows_the_change_and_what_else_was_different(
    make_results: Callable[..., Results], make_plan: Callable[..., Plan]
) -> None:
    before = make_results(
        accepted_rate=100.0, plan=make_plan(clients=9, run="x"), machine={"cores": "8"}
    )
    now = make_results()

    rows = {row.name: (row.before, row.now, row.change) for row in compared(now, before)}
    assert rows["Accepted, actions/s"] == ("100", "200", "+100.0%")
    assert rows["CPU of api, ms per 1,000"] == ("60.00", "60.00", "+0.0%")
    assert differing_settings(now, before) == [
        "clients: 9 before, 0 now",
        "duration: 0.5 before, 3 now",
        "cores: 8 before, 2 now",
    ]
    page = report.page(now, before)
    assert "+100.0%" in page
    assert "POST before" in page


def test_a_run_without_websockets_and_without_cpu_leaves_them_out(
    make_results: Callable[..., Results],
) -> None:
    nothing = histograms.latency(np.zeros(0, np.int64))
    page = report.page(make_results(delivery=nothing, cpu={}))

    assert "POST to WebSocket p50" not in page
    assert "server CPU" not in page
