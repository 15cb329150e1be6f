"""The drills of docs/drills.md end as they say: no action is lost, none counts twice."""

from __future__ import annotations

import asyncio
import re
import textwrap
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from scoreboard.local.child_processes import Child
from scripts.rehearse_restore import Site, site_in
from tests.support.extent import kept

PAGE = (Path(__file__).parents[2] / "docs" / "drills.md").read_text(encoding="utf-8")
MARKED = {
    name: textwrap.dedent(block)
    for name, block in re.findall(
        r"<!-- drill: (.+) -->\n(.*?)<!-- end of drill: \1 -->", PAGE, re.DOTALL
    )
}
FUNCTIONS = MARKED.pop("functions")
SO_FAR = "the shell has come so far"
LONGEST = 150.0  # seconds, after which an action was lost


def _restarted(process: Child) -> None:
    """Killed, and started again, as systemd does with a unit that has ``Restart=always``."""
    process.kill()
    process.start()


async def _do(site: Site, line: str) -> None:
    """What a line does that is not for the shell here."""
    doing: dict[str, Callable[[], None]] = {
        "systemctl kill --signal=KILL scoreboard-persist": partial(_restarted, site.persist),
        "systemctl kill --signal=KILL scoreboard-serve@8080": partial(_restarted, site.serve),
        "systemctl kill --signal=KILL redis-server": site.valkey.kill,
        "systemctl start redis-server": site.valkey.start,
        "systemctl stop postgresql": site.postgres.stop,
        "systemctl start postgresql": site.postgres.start,
    }
    if line == "redis-cli FLUSHALL":
        async with Redis.from_url(site.valkey.url) as redis:
            await redis.flushall()
    else:
        await asyncio.to_thread(doing[line])


async def _pasted(site: Site, drill: str) -> str:
    """What the drill prints, pasted into a shell line by line. Fails unless that ends well."""
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-eu"),
        env=site.environment | {"URL": site.target.url, "TOKEN": site.target.token},
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    assert shell.stdin
    assert shell.stdout
    shell.stdin.write(FUNCTIONS.encode())
    said = ""
    try:
        for line in drill.splitlines():
            if line.startswith(("systemctl ", "redis-cli ")):
                shell.stdin.write(f"echo; echo '{SO_FAR}'\n".encode())
                said += (await shell.stdout.readuntil(f"{SO_FAR}\n".encode())).decode()
                await _do(site, line)
            else:
                shell.stdin.write(f"{line}\n".encode())
        shell.stdin.close()
        rest, _ = await shell.communicate()
        assert shell.returncode == 0, said + rest.decode()
        return said + rest.decode()
    finally:
        if shell.returncode is None:
            shell.kill()
            await shell.wait()


@pytest.mark.parametrize("drill", kept(MARKED, "Redis loses everything"))
async def test_a_drill_loses_no_action_and_counts_none_twice(tmp_path: Path, drill: str) -> None:
    async with site_in(tmp_path) as site:
        async with asyncio.timeout(LONGEST):
            said = await _pasted(site, MARKED[drill])

    assert re.search(r"\ndrill: 7 users, \d+ receipts, 0 differences\nwrite-behind.*\n\Z", said)
