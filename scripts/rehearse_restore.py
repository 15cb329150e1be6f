"""Rehearses docs/backup.md: its commands are run as they stand there, on servers of our own.

    .venv/bin/python -m scripts.rehearse_restore          # make rehearse-restore

Each rehearsal posts actions, backs up, posts more, loses what it is about, restores, and asks what
is there: every user's total against the ledger, `scoreboard verify`, and the answer to each action
when its client repeats it. Ends with 1 when something contradicts the page.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import secrets
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from redis.asyncio import Redis

from scoreboard.api import tokens
from scoreboard.local.child_processes import Child, stop_together
from scoreboard.local.embedded_servers import Postgres, Valkey, free_port, not_as_root, own
from scoreboard.wire.keys import PartitionKeys
from scripts.load import servers
from scripts.load.api import Api, NoAnswer
from scripts.load.requests import action
from scripts.load.target import Target

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "backup.md"
# What a user's total is of the points.
BOARDS: dict[str, Callable[[Collection[int]], int]] = {"arena": sum, "laps": min}
USERS = 50
BATCH = 50  # actions in a call
PARTITIONS = 2
TIMEOUT = 60.0  # seconds for anything that is waited for
POLL = 0.05

_ROLES = ("postgres", "scoreboard_owner", "scoreboard")  # of docs/production.md, and a superuser

Say = Callable[[str], None]
Rehearsal = Callable[["Site", "Season", int, Say], Awaitable[None]]


class Contradiction(Exception):
    """What came back is not what the page says."""


class Failed(Exception):
    """A command of the page ended with ``code``; ``said`` is its output."""

    def __init__(self, block: str, code: int, said: str, errors: str) -> None:
        super().__init__(f"{block}ended with {code}: {said}{errors}")
        self.code = code
        self.said = said


def commands(name: str) -> str:
    """The page's commands between its marks of this name."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- end of {name} -->", page, re.DOTALL)
    assert found, name
    return textwrap.dedent(re.sub("^```.*\n", "", found[1], flags=re.MULTILINE))


class Site:
    """A Redis, a Postgres as docs/production.md sets it up, a `persist` and a `serve`. Their data
    are in ``folder``. Ports and passwords outlive the data: they are settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backups = folder / "backups"
        for made in (self.backups, self.backups / "wal"):
            made.mkdir()
            own(made)
        given = os.environ.get("REDIS_SERVER")
        self.valkey = Valkey(folder / "valkey", binary=Path(given) if given else None)
        self.postgres = Postgres(folder / "postgres")
        self._passwords = {role: secrets.token_hex(16) for role in _ROLES}
        self._keys = tokens.local_keys(secrets.token_hex(32))
        port = free_port()
        self.target = Target(
            f"http://127.0.0.1:{port}",
            tokens.mint(self._keys, "HS256", subject="game", scope="score:write", ttl=86_400),
        )
        self.environment = {
            **servers.environment(
                self.valkey.url,
                self.url("scoreboard"),
                self._keys,
                PORT=str(port),
                MIGRATION_URL=self.url("scoreboard_owner"),
                REDIS_TIMEOUT=f"{TIMEOUT:g}",
                SHUTDOWN_GRACE="0.2",
                PARTITIONS=str(PARTITIONS),
            ),
            "PATH": os.pathsep.join(
                (str(Path(sys.executable).parent), str(self.postgres.binaries), os.defpath)
            ),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.postgres.port),
            "PGUSER": "postgres",
            "PGPASSWORD": self._passwords["postgres"],
        }
        self.persist, self.serve = (
            Child(
                name,
                [sys.executable, "-m", "scoreboard", name],
                log=folder / f"{name}.log",
                environment=self.environment,
            )
            for name in ("persist", "serve")
        )

    def url(self, role: str, database: str = "scoreboard") -> str:
        password = self._passwords[role]
        return f"postgresql://{role}:{password}@127.0.0.1:{self.postgres.port}/{database}"

    def run(self, block: str, *, as_postgres: bool = False) -> str:
        """What these commands print, with the page's folders where they are here. Raises Failed."""
        block = block.replace("/var/backups", str(self.backups))
        block = block.replace("/var/lib/postgresql/18/main", str(self.postgres.data))
        shell = ["bash", "-euc", block]
        done = subprocess.run(
            not_as_root(shell) if as_postgres else shell,
            cwd=self.backups,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(block, done.returncode, done.stdout, done.stderr)
        return done.stdout

    async def set_up_postgres(self) -> None:
        """A new Postgres with the roles, and an empty database."""
        await asyncio.to_thread(self.postgres.start)
        first = await asyncpg.connect(self.postgres.url)
        await first.execute(
            f"CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{self._passwords['postgres']}'"
        )
        await first.close()
        superuser = await asyncpg.connect(self.url("postgres", "postgres"))
        await superuser.execute("ALTER ROLE scoreboard RENAME TO first; ALTER ROLE first NOLOGIN")
        self.run(f"psql --no-psqlrc --quiet --file={ROOT}/deploy/postgres.sql postgres")
        for role in ("scoreboard", "scoreboard_owner"):
            await superuser.execute(f"ALTER ROLE {role} PASSWORD '{self._passwords[role]}'")
        await superuser.close()

    async def start(self) -> None:
        """Starts `persist` and `serve` and waits until the service answers."""
        self.persist.start()
        self.serve.start()
        await until(self._alive)

    async def stop(self) -> None:
        """Stops both."""
        await asyncio.to_thread(stop_together, [self.serve, self.persist])

    async def end(self) -> None:
        """Stops all that runs."""
        await self.stop()
        await asyncio.to_thread(stop_together, [self.valkey.process, self.postgres.process])

    def lose_postgres(self) -> None:
        """Kills it; its data are gone."""
        self.postgres.kill()
        self._lose(self.postgres.data)

    def lose_redis(self) -> None:
        """Kills it; its data are gone, and it is started empty."""
        self.valkey.kill()
        self._lose(self.valkey.directory)
        self.valkey.directory.mkdir()
        self.valkey.start()

    def _lose(self, data: Path) -> None:
        """Moved away, not removed: what a killed server has forked still tidies up in there."""
        data.rename(tempfile.mkdtemp(dir=self.folder, prefix="lost-"))

    def verify(self) -> tuple[int, str]:
        """Exit code and output of the page's command for it."""
        try:
            return 0, self.run(commands("verify"))
        except Failed as failed:
            return failed.code, failed.said

    async def drained(self) -> None:
        """Returns once Postgres has all that Redis has acknowledged."""

        async def empty() -> bool:
            async with Redis.from_url(self.valkey.url) as redis:
                streams = [PartitionKeys(number).events for number in range(PARTITIONS)]
                return not any([await redis.xlen(stream) for stream in streams])

        await until(empty)

    async def fetch(self, statement: str) -> list[Any]:
        """The first column of what the superuser's ``statement`` finds."""
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            return [row[0] for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    async def ledger(self) -> set[str]:
        """The ids of all actions in it."""
        return set(await self.fetch("SELECT action_id FROM score_action"))

    async def _alive(self) -> bool:
        for role in (self.persist, self.serve):
            if not role.running:
                raise RuntimeError(f"{role.name} has ended: {role.last_words()}")
        try:
            async with Api(self.target) as api:
                await api.alive()
        except NoAnswer:
            return False
        return True


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Returns once it is so. Raises TimeoutError."""
    async with asyncio.timeout(TIMEOUT):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(POLL)


class Season:
    """Actions of a seed, and what was answered to each."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.posted: dict[str, tuple[str, str, int]] = {}  # board, user, points by action

    async def post(self, site: Site, count: int) -> set[str]:
        """Posts new actions; their ids. Each has to count."""
        new = {}
        for number in range(len(self.posted), len(self.posted) + count):
            board = self._random.choice([*BOARDS])
            user = f"user{self._random.randrange(USERS)}"
            new[f"action{number}"] = (board, user, self._random.randint(1, 100))
        self.posted |= new
        for name, status in (await self._answers(site, new)).items():
            expect(status in (200, 202), f"{name} was answered {status}")
        return set(new)

    async def repeat(self, site: Site) -> dict[str, int]:
        """The status that each action gets when it is posted again."""
        return await self._answers(site, self.posted)

    def totals(self, board: str, of: Collection[str]) -> dict[str, int]:
        """Of the users who have any of these actions on the board."""
        points: dict[str, list[int]] = {}
        for name in of:
            where, user, some = self.posted[name]
            if where == board:
                points.setdefault(user, []).append(some)
        return {user: BOARDS[board](all_) for user, all_ in points.items()}

    async def _answers(
        self, site: Site, actions: Mapping[str, tuple[str, str, int]]
    ) -> dict[str, int]:
        found: dict[str, int] = {}
        async with Api(site.target, TIMEOUT) as api:
            for board in BOARDS:
                names = [name for name, (where, _, _) in actions.items() if where == board]
                for some in batched(names, BATCH):
                    bodies = [action(actions[name][1], name, actions[name][2]) for name in some]
                    replies = await api.submit(board, bodies)
                    # A busy machine may need longer for a board than a call waits for it.
                    while any(reply.code == "unavailable" for reply in replies):
                        await asyncio.sleep(POLL)
                        replies = await api.submit(board, bodies)
                    found |= {n: reply.status for n, reply in zip(some, replies, strict=True)}
        return found


def batched(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The names in pieces of this size; the last may be smaller."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def expect(true: bool, otherwise: str) -> None:
    """Raises Contradiction when it is not so."""
    if not true:
        raise Contradiction(otherwise)


async def check(site: Site, season: Season, kept: set[str], say: Say) -> None:
    """What is there is what the actions ``kept`` come to, and each other one counts when it is
    repeated, once. Raises Contradiction."""
    await _adds_up(site, season, kept)
    again = await season.repeat(site)
    counted = {name for name, status in again.items() if status == 200}
    known = {name for name, status in again.items() if status == 409}
    say(f"repeated: {len(known)} were known, {len(counted)} counted")
    expect(known == kept, f"known were {len(known)}, kept {len(kept)}")
    expect(counted == season.posted.keys() - kept, f"{len(counted)} counted again")
    await site.drained()
    await _adds_up(site, season, set(season.posted))
    say("verified again: no differences")


async def _adds_up(site: Site, season: Season, actions: set[str]) -> None:
    found = await site.ledger()
    expect(found == actions, f"the ledger has {len(found)} actions, not {len(actions)}")
    users = [f"user{number}" for number in range(USERS)]
    async with Api(site.target, TIMEOUT) as api:
        for board in BOARDS:
            shown = await api.scores(board, users)
            expect(shown == season.totals(board, actions), f"totals of {board} differ")
    code, said = site.verify()
    expect(code == 0, said)


@contextlib.contextmanager
def timed(what: str, say: Say) -> Iterator[None]:
    """Says how long it took."""
    began = time.perf_counter()
    yield
    say(f"{what}: {time.perf_counter() - began:.1f} s")


async def everything_from_a_dump(site: Site, season: Season, count: int, say: Say) -> None:
    """Both servers' data are lost, and a dump is restored that was made under load."""
    before = await season.post(site, count)
    await site.drained()
    with timed("dumped, while actions came in", say):
        during, _ = await asyncio.gather(
            season.post(site, count // 2), asyncio.to_thread(site.run, commands("dump"))
        )
    after = await season.post(site, count // 2)
    await site.drained()

    await site.stop()
    site.lose_postgres()
    site.lose_redis()
    with timed("restored", say):
        await site.set_up_postgres()
        site.run(commands("restore a dump"))
        site.run(commands("migrate"))
    kept = await site.ledger()
    say(f"posted: {len(season.posted)}; in the dump: {len(kept)}")
    expect(before <= kept <= before | during, "the dump has not what was there when it began")
    expect(not kept & after, "the dump has what came after it")
    await site.start()
    await check(site, season, kept, say)


async def both_to_a_moment(site: Site, season: Season, count: int, say: Say) -> None:
    """Both servers' data are lost, and Postgres is recovered to a moment from a base backup and
    the WAL since."""
    site.run(commands("archive"))
    await asyncio.to_thread(site.postgres.stop)
    await asyncio.to_thread(site.postgres.start)
    wanted = await season.post(site, count)
    with timed("base backup", say):
        await asyncio.to_thread(site.run, commands("base backup"), as_postgres=True)
    wanted |= await season.post(site, count // 2)
    await site.drained()
    (moment,) = await site.fetch("SELECT clock_timestamp()::text")
    await season.post(site, count // 2)
    await site.drained()
    (segment,) = await site.fetch("SELECT pg_walfile_name(pg_switch_wal())")
    await until(lambda: _archived(site, segment))

    await site.stop()
    site.lose_postgres()
    site.lose_redis()
    with timed("recovered", say):
        site.postgres.data.mkdir(mode=0o700)
        own(site.postgres.data)
        recover = commands("recover").replace("2026-11-27 20:15:00+00", moment)
        site.run(recover, as_postgres=True)
        await asyncio.to_thread(site.postgres.start)
        site.run(commands("migrate"))
    say(f"posted: {len(season.posted)}; until that moment: {len(wanted)}")
    await site.start()
    await check(site, season, wanted, say)


async def _archived(site: Site, segment: str) -> bool:
    return (site.backups / "wal" / segment).exists()


async def postgres_alone(site: Site, season: Season, count: int, say: Say) -> None:
    """Postgres goes back to a dump, while Redis has lived on and knows more."""
    kept = await season.post(site, count)
    await site.drained()
    site.run(commands("dump"))
    await season.post(site, count // 2)
    await site.drained()
    site.lose_postgres()
    kept |= await season.post(site, count // 2)  # to Redis alone

    await site.stop()
    await site.set_up_postgres()
    site.run(commands("restore a dump"))
    site.run(commands("migrate"))
    site.persist.start()
    await site.drained()
    await site.stop()
    code, said = site.verify()
    say(f"before Redis is emptied: {len(said.splitlines())} lines of differences")
    expect(code == 1, "nothing differs, so the page asks for too much")
    async with Redis.from_url(site.valkey.url) as redis:
        await redis.flushall()
    site.run(commands("repair"))
    await site.start()
    await check(site, season, kept, say)


REHEARSALS: tuple[Rehearsal, ...] = (everything_from_a_dump, both_to_a_moment, postgres_alone)


@contextlib.asynccontextmanager
async def site_in(folder: Path) -> AsyncIterator[Site]:
    """A site with both boards, whose service answers, ended afterwards."""
    site = Site(folder)
    try:
        await asyncio.to_thread(site.valkey.start)
        await site.set_up_postgres()
        site.run(commands("migrate"))
        site.run("scoreboard boards set laps --operator best --order asc")
        await site.start()
        yield site
    finally:
        await site.end()


async def rehearse(folder: Path, actions: int, seed: int, say: Say) -> None:
    """All of them, each on data of its own. Raises Contradiction."""

    def indented(text: str) -> None:
        say(f"  {text}")

    for rehearsal in REHEARSALS:
        say(f"{rehearsal.__name__.replace('_', ' ')}:")
        own_folder = folder / rehearsal.__name__
        own_folder.mkdir()
        with timed("in all", indented):
            async with site_in(own_folder) as site:
                await rehearsal(site, Season(seed), actions, indented)


def main(
    actions: Annotated[int, typer.Option(min=100, help="Half of those that are posted.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Of the actions.")] = 1,
) -> None:
    """Lose everything and restore it, three times, by the commands of docs/backup.md."""
    with servers.temporary_folder() as folder:
        try:
            asyncio.run(rehearse(folder, actions, seed, print))
        except Contradiction as contradiction:
            print(f"FAILED: {contradiction}")
            raise typer.Exit(1) from contradiction
    print("passed: everything that a backup had came back, and the rest counted once, repeated")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
