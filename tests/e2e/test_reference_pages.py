"""The reference of the documents' site has the calls of a running service."""

from __future__ import annotations

import re

from aiohttp import ClientSession

from scoreboard.settings import Settings
from scripts.reference_pages import calls_page
from tests.support.whole_service import service


async def test_every_call_of_a_running_service_is_in_the_reference(settings: Settings) -> None:
    async with (
        service(settings) as running,
        ClientSession() as http,
        http.get(f"{running.url}/openapi.json") as answer,
    ):
        described = (await answer.json())["paths"]

    calls = [
        f"{method.upper()} {path}"
        for path, methods in described.items()
        for method, call in methods.items()
        if call["tags"] != ["pages"]
    ]
    assert len(calls) > 40
    assert sorted(re.findall(r"^### `(.+)`$", calls_page(), re.MULTILINE)) == sorted(calls)
