"""Who gets a place when there is none."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from scoreboard.api.edge import admission
from scoreboard.api.edge.addresses import Addresses
from scoreboard.api.edge.admission import Admission

PEER = ("127.0.0.1", 1)


@dataclass(eq=False)
class Client:
    waiting_since: float = 0.0
    waits_for_client: bool = True
    address: str = ""
    dropped: bool = False

    def drop(self) -> None:
        self.dropped = True


def door(most: int, most_per_address: int = 1000) -> Admission:
    trusted = Addresses("127.0.0.0/8", "")
    return Admission(trusted, most=most, most_per_address=most_per_address)


async def test_a_newcomer_gets_the_place_of_who_has_waited_longest() -> None:
    full = door(3)
    clients = [Client(waiting_since=since) for since in (5.0, 1.0, 3.0)]
    assert [full.enter(client, PEER) for client in clients] == [None] * 3

    assert full.enter(Client(waiting_since=9.0), PEER) is None
    assert [client.dropped for client in clients] == [False, True, False]


async def test_of_those_who_have_waited_equally_long_the_first_goes() -> None:
    full = door(20)
    clients = [Client() for _ in range(20)]
    for client in clients:
        full.enter(client, PEER)
    full.enter(Client(), PEER)

    assert [client.dropped for client in clients] == [True] + [False] * 19


async def test_nobody_who_is_being_answered_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "LOOK_AGAIN", 0.0)
    full = door(2)
    busy = [Client(waits_for_client=False) for _ in range(2)]
    assert [full.enter(client, PEER) for client in busy] == [None] * 2

    refused = full.enter(Client(), PEER)
    assert refused is not None
    assert (refused.status, refused.retry_after) == (503, 1.0)
    assert not any(client.dropped for client in busy)
    full.leave(busy[0])
    assert full.enter(Client(), PEER) is None


async def test_many_are_dropped_at_a_time_since_looking_for_them_takes_long() -> None:
    full = door(100)
    clients = [Client(waiting_since=float(n)) for n in range(100)]
    for client in clients:
        full.enter(client, PEER)
    full.enter(Client(waiting_since=1000.0), PEER)

    assert [n for n, client in enumerate(clients) if client.dropped] == [0, 1, 2, 3, 4]


async def test_after_a_vain_look_nobody_looks_again_at_once() -> None:
    full = door(1)
    busy = Client(waits_for_client=False)
    full.enter(busy, PEER)
    assert full.enter(Client(), PEER) is not None
    busy.waits_for_client = True

    assert full.enter(Client(), PEER) is not None
    assert not busy.dropped


async def test_an_address_that_has_its_share_is_refused_and_the_others_are_not() -> None:
    roomy = door(100, most_per_address=2)
    many = [Client() for _ in range(2)]
    outsider = ("203.0.113.5", 1)
    assert [roomy.enter(client, outsider) for client in many] == [None] * 2

    refused = roomy.enter(Client(), outsider)
    assert refused is not None
    assert refused.status == 429
    assert roomy.enter(Client(), ("203.0.113.6", 1)) is None
    assert roomy.enter(Client(), PEER) is None
    roomy.leave(many[0])
    roomy.leave(many[0])
    assert roomy.enter(Client(), outsider) is None
    assert roomy.enter(Client(), outsider) is not None, "a place is given back once"
