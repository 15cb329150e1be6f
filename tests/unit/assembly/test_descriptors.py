"""As many connections as there are file descriptors for."""

from __future__ import annotations

import pytest

from scoreboard.assembly import descriptors
from scoreboard.assembly.descriptors import FEWEST, check_limit, fitted
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings


@pytest.mark.parametrize(
    ("limit", "websockets", "http"),
    [
        (None, 20_000, 10_000),
        (1_048_576, 20_000, 10_000),
        (30_512, 20_000, 10_000),
        (25_512, 16_667, 8_333),
        (1_024, 342, 170),
        (512, 2, 1),
    ],
)
def test_caps_that_do_not_fit_the_limit_are_lowered_together(
    limit: int | None, websockets: int, http: int
) -> None:
    fitting = fitted(Settings(), limit, own=512)

    assert (fitting.max_connections, fitting.max_http_connections) == (websockets, http)


def test_a_cap_that_is_low_leaves_its_room_to_the_other() -> None:
    few_watchers = Settings(max_connections=100)
    few_callers = Settings(max_http_connections=100)

    assert fitted(few_watchers, 1_512, own=512).max_http_connections == 900
    assert fitted(few_callers, 1_512, own=512).max_connections == 900


def test_a_limit_with_which_nothing_works_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit in (None, FEWEST):
        monkeypatch.setattr(descriptors, "raise_limit", lambda limit=limit: limit)
        check_limit()
    monkeypatch.setattr(descriptors, "raise_limit", lambda: FEWEST - 1)
    with pytest.raises(ConfigurationError, match=r"ulimit -Hn"):
        check_limit()
