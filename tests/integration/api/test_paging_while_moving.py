"""A short form of scripts/bench/paging.py: pages of a board while posts move half of its users."""

from __future__ import annotations

from aiohttp import ClientSession

from scripts.bench.paging import FLAWS, Table, walked_while_moving
from tests.integration.api.described_api import Api

USERS, POSTS = 3_000, 400


async def test_who_stays_is_neither_skipped_nor_comes_twice_while_others_move(api: Api) -> None:
    names = [f"player-{n:04}" for n in range(USERS)]
    headers = {"Authorization": f"Bearer {api.service.token()}"}
    async with ClientSession(headers=headers) as http:
        table = Table(http, f"{api.service.url}/api/boards/paging")
        walks = await walked_while_moving(table, names, 50, posts=POSTS)
    assert walks.walks >= 1
    assert {flaw: walks.flaws[flaw] for flaw in FLAWS} == dict.fromkeys(FLAWS, 0)
