"""Events that outsiders can cause do not fill the log."""

from __future__ import annotations

from structlog.testing import capture_logs

from scoreboard.telemetry.sparing_log import SparingLog


def test_an_event_is_logged_once_in_a_period_and_the_next_line_says_what_was_left_out() -> None:
    now = 0.0
    log = SparingLog("tests", period=10, clock=lambda: now)
    with capture_logs() as lines:
        for second in range(25):
            now = float(second)
            log.warning("refused", number=second)

    assert [(line["number"], line.get("unlogged")) for line in lines] == [
        (0, None),
        (10, 9),
        (20, 9),
    ]


def test_events_do_not_hide_one_another() -> None:
    log = SparingLog("tests", period=10, clock=lambda: 0.0)
    with capture_logs() as lines:
        for event in ("refused", "late", "refused", "late"):
            log.warning(event)

    assert [line["event"] for line in lines] == ["refused", "late"]
