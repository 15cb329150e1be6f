"""Troubles are told once when they begin and once when they end."""

from __future__ import annotations

from typing import Any

from scoreboard.local.readiness import BEGINS_AFTER, Troubles, behind

UP: dict[str, Any] = {"up": True}
FULL: dict[str, Any] = {"up": False, "detail": "Redis refuses writes: MISCONF disk full."}


class Listener:
    """What is said, with a clock that goes on by a second a look."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._now = 0.0
        self._troubles = Troubles(self.said.append, lambda: self._now)

    def look(self, times: int = 1, **parts: dict[str, Any]) -> list[str]:
        """Looks so often and returns what is new."""
        before = len(self.said)
        for _ in range(times):
            self._now += 1
            self._troubles.look(parts)
        return self.said[before:]


def test_a_trouble_is_told_when_it_begins_and_when_it_ends() -> None:
    up = Listener()
    assert up.look(9, redis=UP, postgres=UP) == []
    assert up.look(BEGINS_AFTER - 1, redis=FULL, postgres=UP) == []
    assert up.look(20, redis=FULL, postgres=UP) == [
        "Redis is in trouble: Redis refuses writes: MISCONF disk full."
    ]
    assert up.look(20, redis=UP, postgres=UP) == ["Redis is all right again, after 20 s."]


def test_published_keys_that_can_not_be_read_are_told_in_words() -> None:
    down = {"up": False, "detail": "The keys of tokens can't be read: the source answered 302."}
    assert Listener().look(BEGINS_AFTER, keys=down) == [
        "The list of published keys is in trouble: The keys of tokens can't be read: "
        "the source answered 302."
    ]


def test_a_single_bad_look_is_no_trouble() -> None:
    up = Listener()
    for _ in range(5):
        up.look(BEGINS_AFTER - 1, redis=FULL)
        up.look(redis=UP)
    assert up.said == []


def test_what_is_kept_in_redis_is_not_told_beside_it() -> None:
    up = Listener()
    down = {"up": False, "detail": "no answer"}
    assert up.look(9, redis=FULL, board=down, audit=down) == [
        "Redis is in trouble: Redis refuses writes: MISCONF disk full."
    ]


def test_while_the_service_does_not_answer_nothing_ends() -> None:
    up = Listener()
    up.look(BEGINS_AFTER, serve=UP, redis=FULL)
    silent = {"up": False, "detail": "no answer (refused)"}
    assert up.look(9, serve=silent) == ["The service is in trouble: no answer (refused)."]
    assert len(up.look(1, serve=UP, redis=UP)) == 2


def test_events_that_wait_long_for_postgres_are_a_trouble() -> None:
    up = Listener()

    def redis(lag: float) -> dict[str, Any]:
        return {"up": True, "backlog": 500, "lagSeconds": lag}

    for lag in (0.0, 29.0, 31.0, 32.0, 33.0, 60.0, 0.0):
        up.look(redis=redis(lag), behind=dict(behind({"redis": redis(lag)})["behind"]))
    assert up.said == [
        "Writing to Postgres is in trouble: behind by 500 events, the oldest 33 s old.",
        "Writing to Postgres is all right again, after 2 s.",
    ]
    assert behind({"redis": {"up": False, "detail": "no answer"}}) == {}
