"""What an error of a command outside the hot path means."""

from __future__ import annotations

import pytest
from redis.exceptions import DataError, ResponseError

from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import reachable

WRONG = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.mark.parametrize(
    "said",
    [WRONG, f"Command # 1 (XLEN sb:{{0}}:events) of pipeline caused error: {WRONG}"],
    ids=["alone", "in a pipeline"],
)
def test_a_key_that_another_program_has_written_over_is_no_failure_of_the_service(
    said: str,
) -> None:
    with pytest.raises(Unavailable, match="holds what is not the service's"), reachable():
        raise ResponseError(said)


@pytest.mark.parametrize("error", [ResponseError("ERR syntax error"), DataError("no set")])
def test_an_error_of_the_command_itself_passes_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, reachable():
        raise error
    assert raised.value is error
