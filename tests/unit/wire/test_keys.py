"""Names of keys."""

from __future__ import annotations

from scoreboard.wire.keys import Keyspace


def test_a_board_owns_its_keys_of_every_kind_and_no_others() -> None:
    keys, other = Keyspace(1).board("arena"), Keyspace(1).board("arena-2")
    own = [
        *(keys.board.encode(), keys.hidden.encode(), keys.meta.encode(), keys.load("x").encode()),
        keys.players.encode(),
        *(keys.action(b"ann", b"k"), keys.rate(b"ann"), keys.profile(b"ann"), keys.device(b"d")),
    ]
    assert all(keys.owns(key) for key in own)
    assert not any(other.owns(key) for key in own)
    assert not keys.owns(keys.events.encode())
    assert not keys.owns(other.action(b":arena:", b":arena:"))
