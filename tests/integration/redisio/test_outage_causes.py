"""What the log says of a server that is away."""

from __future__ import annotations

import pytest

from scoreboard.errors import Unavailable, cause_of
from scoreboard.redisio import connections
from scoreboard.redisio.commands import reachable


async def test_the_cause_of_an_outage_names_the_address() -> None:
    client = connections.client("redis://127.0.0.1:1/0", timeout=1)
    with pytest.raises(Unavailable) as caught, reachable():
        await client.ping()
    await client.aclose()

    assert "127.0.0.1:1" in cause_of(caught.value)
    assert cause_of(Unavailable("no cause")) == ""
