"""check_history: what every other script relies on."""

from __future__ import annotations

import pytest
from redis import Redis, ResponseError

from scoreboard.redisio.script_source import expand
from scoreboard.wire.scripts import check_history

WRITES_IN_FULL = "string.format('%d', number)"


def test_a_server_whose_scripts_write_whole_numbers_in_full_is_taken(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.eval(expand(check_history), 0) == [b"!DONE"]


def test_a_server_that_counts_in_32_bits_is_refused_and_says_so(redis_url: str) -> None:
    text = expand(check_history)
    assert WRITES_IN_FULL in text
    of_32_bits = text.replace(WRITES_IN_FULL, "string.format('%d', number % 2 ^ 31)")
    with (
        Redis.from_url(redis_url) as client,
        pytest.raises(ResponseError, match="built for 32 bits"),
    ):
        client.eval(of_32_bits, 0)
