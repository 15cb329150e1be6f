"""What the log says of a server that is away."""

from __future__ import annotations

import pytest
from redis.exceptions import DataError

from scoreboard.errors import Unavailable, cause_of
from scoreboard.redisio.commands import reachable
from scoreboard.redisio.topologies import topology_at


async def test_the_cause_of_an_outage_names_the_address() -> None:
    client = topology_at("redis://127.0.0.1:1/0").client(timeout=1)
    with pytest.raises(Unavailable) as caught, reachable():
        await client.ping()
    await client.aclose()

    assert "127.0.0.1:1" in cause_of(caught.value)
    assert cause_of(Unavailable("no cause")) == ""


async def test_a_call_that_redis_py_refuses_to_send_is_no_outage() -> None:
    client = topology_at("redis://127.0.0.1:1/0").client(timeout=1)
    with pytest.raises(DataError), reachable():
        client.zmscore("key", [])
    await client.aclose()
