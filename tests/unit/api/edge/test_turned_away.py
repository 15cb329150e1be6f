"""Connections that were refused do not pile up."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest

from scoreboard.api.edge import turned_away
from scoreboard.api.edge.turned_away import TurnedAway


async def test_who_is_turned_away_is_told_why_and_has_a_moment_to_read_it() -> None:
    refused, transport = TurnedAway(b"no room"), Mock(spec=asyncio.Transport)
    refused.connection_made(transport)

    transport.write.assert_called_once_with(b"no room")
    transport.write_eof.assert_called_once_with()
    transport.close.assert_not_called()
    refused.connection_lost(None)


async def test_only_so_many_have_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_away, "MOST_LINGERING", 2)
    refused = [TurnedAway(b"no room") for _ in range(4)]
    transports = [Mock(spec=asyncio.Transport) for _ in refused]
    for protocol, transport in zip(refused[:3], transports[:3], strict=True):
        protocol.connection_made(transport)
    assert [transport.close.called for transport in transports] == [False, False, True, False]

    refused[0].connection_lost(None)
    refused[3].connection_made(transports[3])
    assert not transports[3].close.called, "one had gone"
    for protocol in refused[1:]:
        protocol.connection_lost(None)
