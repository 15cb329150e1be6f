"""A server that keeps the contract as far as the load test uses it, in memory, and can be made to
stall, to lose answers and to lose points."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from scripts.load.target import Target


class Stub:
    """``flowing`` holds up the answers while it is cleared; the next ``lose_next_answers`` actions
    are applied and then left without an answer; of those in ``swallow`` (by user) the points are
    acknowledged but not kept."""

    def __init__(self) -> None:
        self.totals: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.receipts: dict[tuple[str, str, str], int] = {}
        self.versions: defaultdict[str, int] = defaultdict(int)
        self.sockets: defaultdict[str, list[web.WebSocketResponse]] = defaultdict(list)
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.lose_next_answers = 0
        self.swallow: set[str] = set()
        self.posts = 0

    async def post_score(self, request: web.Request) -> web.StreamResponse:
        self.posts += 1
        await self.flowing.wait()
        board = request.match_info["board"]
        status, body = await self._submit(board, await request.json())
        if self.lose_next_answers:
            self.lose_next_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(body, status=status)

    async def post_scores(self, request: web.Request) -> web.StreamResponse:
        board = request.match_info["board"]
        results = []
        for action in (await request.json())["actions"]:
            status, body = await self._submit(board, action)
            results.append({"status": status, **body})
        return web.json_response({"results": results})

    async def lookup(self, request: web.Request) -> web.StreamResponse:
        totals = self.totals[request.match_info["board"]]
        users = (await request.json())["userIds"]
        found = [{"userId": user, "score": totals[user]} for user in users if user in totals]
        return web.json_response({"users": found, "missing": []})

    async def readyz(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"ready": True, "parts": {"redis": {"up": True, "backlog": 0}}})

    async def top(self, request: web.Request) -> web.StreamResponse:
        board = request.match_info["board"]
        return web.json_response(
            {"topScores": self.top_of(board)}, headers={"ETag": f'"{self.versions[board]}"'}
        )

    async def watch(self, request: web.Request) -> web.StreamResponse:
        board = request.query["board"]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(self.message("snapshot", board))
        self.sockets[board].append(socket)
        async for message in socket:
            assert message.type is WSMsgType.TEXT
        return socket

    async def announce(self, board: str) -> None:
        """Send the top 10 as a new version."""
        self.versions[board] += 1
        for socket in self.sockets[board]:
            await socket.send_json(self.message("update", board))

    def message(self, kind: str, board: str) -> dict[str, Any]:
        version = self.versions[board]
        return {"type": kind, "board": board, "version": version, "topScores": self.top_of(board)}

    def top_of(self, board: str) -> list[dict[str, Any]]:
        ranked = sorted(self.totals[board].items(), key=lambda entry: -entry[1])
        return [{"userId": user, "score": score} for user, score in ranked[:10]]

    async def _submit(self, board: str, action: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key = (board, action["userId"], action["actionId"])
        if key in self.receipts:
            return 409, {"code": "duplicate_action", "score": self.receipts[key]}
        totals = self.totals[board]
        totals[action["userId"]] = totals.get(action["userId"], 0) + action["points"]
        self.receipts[key] = totals[action["userId"]]
        if action["userId"] in self.swallow:
            totals[action["userId"]] -= action["points"]
        await self.announce(board)
        return 200, {"score": self.receipts[key]}


async def started(stub: Stub) -> tuple[TestServer, Target]:
    """``stub`` behind a port of 127.0.0.1."""
    app = web.Application()
    board = "/api/boards/{board}"
    app.add_routes(
        [
            web.post(f"{board}/score", stub.post_score),
            web.post(f"{board}/scores", stub.post_scores),
            web.post(f"{board}/users:lookup", stub.lookup),
            web.get(f"{board}/top", stub.top),
            web.get("/readyz", stub.readyz),
            web.get("/ws/leaderboard", stub.watch),
        ]
    )
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    return server, Target(f"http://127.0.0.1:{server.port}", "token")
