"""What a cluster's servers say of slots, and where commands go."""

from __future__ import annotations

from unittest.mock import AsyncMock

import pytest

from scoreboard.redisio import cluster
from scoreboard.redisio.address import parse
from scoreboard.redisio.cluster import PAUSE, ClusterTopology, slot_of
from scoreboard.redisio.cluster_client import key_of
from scoreboard.redisio.refusals import Refused
from scoreboard.redisio.script_source import digest, expand
from scoreboard.redisio.topology import Known, Node, Step
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace

KEY = "sb:{3}:meta:arena"


@pytest.fixture
def topology(monkeypatch: pytest.MonkeyPatch) -> ClusterTopology:
    """One that can't ask anybody, and knows one server."""
    made = ClusterTopology(parse("redis+cluster://a:1"))
    made._slots = {slot_of(KEY): made._node_at(("a", 1))}
    return made


def after(topology: ClusterTopology, reply: str) -> Step | None:
    """What to do after this reply of the only server."""
    topology._doubt = lambda: None  # type: ignore[method-assign]
    error = Refused(reply.partition(" ")[0], reply)
    return topology.follow(error, KEY, topology._node_at(("a", 1)))


def place(node: Node) -> tuple[str, int]:
    found: tuple[str, int] = node.server.at  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    ("where", "host"), [("b:2", "b"), ("::1:2", "::1"), (":2", "a")], ids=["name", "v6", "none"]
)
async def test_a_slot_that_has_moved_is_looked_for_there_from_now_on(
    topology: ClusterTopology, where: str, host: str
) -> None:
    step = after(topology, f"MOVED {slot_of(KEY)} {where}")
    assert step is not None
    assert place(step.node) == (host, 2)
    assert not step.asking
    assert await topology.owner(KEY) is step.node


async def test_a_slot_on_its_way_is_asked_for_there_once(topology: ClusterTopology) -> None:
    step = after(topology, f"ASK {slot_of(KEY)} b:2")
    assert step is not None
    assert (place(step.node), step.asking) == (("b", 2), True)
    assert place(await topology.owner(KEY)) == ("a", 1)


@pytest.mark.parametrize("word", ["TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY"])
def test_what_is_so_for_a_moment_is_tried_again(topology: ClusterTopology, word: str) -> None:
    step = after(topology, f"{word} For a moment")
    assert step is not None
    assert (place(step.node), step.pause) == (("a", 1), PAUSE)


async def test_servers_and_their_replicas_are_known_from_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slots = [
        [0, 99, [b"a", 1, b"id"], [b"b", 2, b"id"], [b"", 3, b"id"]],  # the last: the one asked
        [100, 199, [b"c", 4, b"id"]],
        [200, 299, [b"a", 1, b"id"], [b"b", 2, b"id"], [b"", 3, b"id"]],
    ]
    monkeypatch.setattr(cluster, "ask_once", AsyncMock(return_value=slots))
    topology = ClusterTopology(parse("redis+cluster://d:1"))
    assert topology.known() == []
    masters = await topology.masters()

    assert topology.known() == [
        Known("a:1", "master", masters[0], 2),
        Known("b:2", "replica", master="a:1"),
        Known("d:3", "replica", master="a:1"),
        Known("c:4", "master", masters[1], 0),
    ]


@pytest.mark.parametrize("word", ["NOPERM", "OOM", "MISCONF"])
def test_what_no_other_server_would_change_is_not(topology: ClusterTopology, word: str) -> None:
    assert after(topology, f"{word} So it is") is None


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "a"), "a"),
        (("EVALSHA", b"5ha", 2, b"a", b"b", b"c"), b"a"),
        (("XREAD", b"COUNT", 1, b"STREAMS", "a", "0"), "a"),
        (("XINFO GROUPS", "a"), "a"),
        (("SPUBLISH", "a", "text"), "a"),
        (("TIME",), None),
        (("SCRIPT LOAD", b"return 1"), None),
    ],
)
def test_a_command_goes_by_its_first_key(command: tuple[object, ...], key: object) -> None:
    assert key_of(command) == key


def test_all_keys_of_a_board_are_on_one_slot() -> None:
    keys = Keyspace(8).board("arena:week:12")
    slots = {
        slot_of(key)
        for key in (
            keys.board,
            keys.hidden,
            keys.meta,
            keys.events,
            keys.channel,
            keys.guard,
            keys.moves,
            keys.players,
            keys.persisted,
            keys.load("nonce"),
            keys.action(b"ann", b"a1"),
            keys.profile(b"ann"),
            keys.device(b"d"),
            keys.rate(b"ann"),
        )
    }
    assert len(slots) == 1


def test_scripts_publish_to_a_slot_on_a_cluster_alone() -> None:
    script = scripts.submit_scores
    assert "'SPUBLISH'" in expand(script, sharded=True)
    assert "'PUBLISH'" not in expand(script, sharded=True)
    assert "'SPUBLISH'" not in expand(script)
    assert digest(script, sharded=True) != digest(script)
