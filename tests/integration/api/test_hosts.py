"""Requests that name another host, as after DNS rebinding."""

from __future__ import annotations

from aiohttp import ClientSession

from scoreboard.settings import Settings
from tests.support.whole_service import service

ALLOWED = ("localhost:8080", "LOCALHOST", "localhost.", "127.0.0.1:8080", "192.168.1.7", "[::1]:80")
FOREIGN = ("evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "")


async def test_only_addresses_and_names_that_are_allowed_are_answered(settings: Settings) -> None:
    async with service(settings, allowed_hosts="localhost") as running, ClientSession() as http:
        for path in ("/healthz", "/ws/leaderboard", "/no/such/path"):
            for host in ALLOWED:
                async with http.get(running.url + path, headers={"Host": host}) as answer:
                    assert answer.status != 421, (path, host)
            for host in FOREIGN:
                async with http.get(running.url + path, headers={"Host": host}) as answer:
                    code = (await answer.json())["code"]
                assert (answer.status, code) == (421, "misdirected_request"), (path, host)


async def test_the_origin_self_is_that_of_the_host_asked(settings: Settings) -> None:
    async with service(settings, allowed_origins="self") as running, ClientSession() as http:
        own = running.url
        async with http.ws_connect(f"{own}/ws/leaderboard", headers={"Origin": own}):
            pass
        for foreign in ("http://evil.example", f"{own}0", "null", "self"):
            async with http.get(
                f"{own}/ws/leaderboard",
                headers={
                    "Origin": foreign,
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                },
            ) as answer:
                assert answer.status == 403, foreign
