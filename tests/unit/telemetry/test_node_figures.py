"""The figures by server have a bound, and count what can't be reached."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from scoreboard.redisio.topologies import topology_at
from scoreboard.telemetry import node_figures
from scoreboard.telemetry.node_figures import MOST, OTHERS, figures_of


def test_so_many_servers_have_their_own_figures_and_all_further_ones_share_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_figures, "_seen", set())
    own = [figures_of(f"test-{number}:1") for number in range(MOST)]
    assert len(set(own)) == MOST
    assert figures_of("one too many:1") is figures_of("and another:1") is figures_of(OTHERS)
    assert figures_of("test-0:1") is own[0]


async def test_a_connection_that_can_not_be_made_is_counted_for_its_server() -> None:
    topology = topology_at("redis://127.0.0.1:1")
    lost = figures_of("127.0.0.1:1").lost
    before = lost._value.get()
    async with topology.client(timeout=5.0) as client:
        with pytest.raises(RedisConnectionError):
            await client.ping()
    assert lost._value.get() == before + 1
