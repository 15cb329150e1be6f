"""A live board for every test of the scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.lua.harness import Board


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    """The live, empty board ``arena`` in this process's emptied Redis."""
    with Redis.from_url(redis_url) as client:
        board = Board(client)
        yield board
        board.close()
