"""The servers that scripts/bench/http.py compares, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import uvloop
from aiohttp import web
from redis.asyncio import Redis

from scoreboard import settings as configuration
from scoreboard.assembly import application as parts
from scoreboard.assembly import service
from scoreboard.assembly.listening import http_runner
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.durability import Durability
from scoreboard.domain.submissions import Result, Submission
from scoreboard.redisio.commands import run_script
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.topology import Node
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.replies import parse_reply
from scoreboard.wire.scripts import SETTINGS, submit_scores
from scoreboard.write_path.plain_calls import PlainCalls

KINDS = ("bare", "single", "full", "gated")
# The gated server's default board is one with a gate; the others' has none.
ENVIRONMENTS = {
    "gated": {"SCOREBOARD_DEFAULT_BOARD": "gated", "SCOREBOARD_DEFAULT_GATE_MODE": "flag"}
}
BARE_BODY = b'{"userId":"user1","score":2000,"rank":1,"actionId":"match-7:kill-31"}'


class SingleSubmitter:
    """The write path without gathering: one EVALSHA of redis-py a request."""

    def __init__(self, redis: Redis, node: Node, partitions: int) -> None:
        self._redis = redis
        self._keyspace = Keyspace(partitions)
        self._calls = PlainCalls(self._keyspace)
        self._line = ScriptLine(node, timeout=5)  # stays unused
        self._settings = b"{}"

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability = Durability.REDIS,
    ) -> tuple[list[Result], Durability]:
        keys = self._keyspace.board(board)
        call = await self._calls.prepare(board, BoardSettings(), submissions, self._line)
        while True:
            script_call = submit_scores(
                **keys.written,
                key_moves=keys.moves,
                arg_board=board,
                arg_settings=self._settings,
                arg_count=len(submissions),
                arg_window=86_400_000,
                arg_idle=2_592_000_000,
                arg_backlog=10**9,
                arg_min=-(2**31),
                arg_max=2**31,
                arg_rate=0,
                arg_rate_ms=0,
                arg_gated=0,
                arg_memory=0,
                arg_totals=b"",
                arg_limits=b"",
                arg_periods=b"",
                arg_rewrite=0,
            )
            script_call.keys.extend(call.keys)
            script_call.args.extend(call.args)
            replies = await run_script(self._redis, script_call)
            if replies[0] != SETTINGS:
                return [parse_reply(reply) for reply in replies], durability
            self._settings = replies[1]


async def _bare_post(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=BARE_BODY, content_type="application/json")


async def application(kind: str) -> web.Application:
    """The application of a kind; the settings come from the environment."""
    settings = configuration.load(os.environ)
    if kind == "bare":
        app = web.Application()
        app.router.add_post("/api/score", _bare_post)
        app.router.add_get("/api/score/top", _bare_post)
        return app
    if kind == "single":
        topology = topology_at(settings.redis_url)
        redis = topology.client(timeout=5, connections=128)
        single = SingleSubmitter(redis, await topology.owner("any"), settings.partitions)
        # mypy forbids to assign to another module's name.
        setattr(parts, "Submitter", lambda *_, **__: _Closing(single))  # noqa: B010
    return await parts.application(settings)


class _Closing:
    def __init__(self, single: SingleSubmitter) -> None:
        self.submit = single.submit

    async def close(self) -> None: ...


async def main(kind: str, port: int) -> None:
    """Serves until it is ended."""
    runner = http_runner(await application(kind), configuration.load(os.environ))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    service.spare_collections()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
