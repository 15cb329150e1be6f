"""The command ``scoreboard`` in a process of its own, as it is typed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules

from scoreboard import commands
from tests.support.signing import JWT_KEYS
from tests.support.waiting import PATIENCE

Begun = Callable[[int], None]


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def named(redis_url: str, database_url: str) -> dict[str, str]:
    """The variables that a deployment on these servers sets; a port is any that is free. The
    servers may take their time."""
    return {
        "SCOREBOARD_REDIS_URL": redis_url,
        "SCOREBOARD_DATABASE_URL": database_url,
        "SCOREBOARD_JWT_KEYS": JWT_KEYS,
        "SCOREBOARD_PORT": "0",
        "SCOREBOARD_REDIS_TIMEOUT": str(PATIENCE),
        "SCOREBOARD_DATABASE_TIMEOUT": str(PATIENCE),
    }


def environment(**variables: str) -> dict[str, str]:
    """The environment of this process, with only these SCOREBOARD_* variables set."""
    clean = {name: v for name, v in os.environ.items() if not name.startswith("SCOREBOARD_")}
    return clean | {"COLUMNS": "100"} | variables


async def scoreboard(*arguments: str, folder: Path | str | None = None, **variables: str) -> Ended:
    """Runs the command in ``folder`` with only these SCOREBOARD_* variables set.

    Its process is forked from one that has loaded the commands already, which saves a second each
    time; it is a new one where variables are set that mean something to Python itself."""
    run = _forked if all(name.startswith("SCOREBOARD_") for name in variables) else _new
    return await run(arguments, folder, environment(**variables))


async def watched(*arguments: str, begun: Begun, variables: Mapping[str, str]) -> Ended:
    """Runs the command as ``scoreboard`` does; ``begun`` is told the id of its process."""
    return await _forked(arguments, None, environment(**variables), begun)


async def _new(arguments: Sequence[str], folder: Path | str | None, env: dict[str, str]) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", *arguments),
        cwd=folder,
        env=env,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(
    [
        "scoreboard.__main__",
        *(f"scoreboard.commands.{c.name}" for c in iter_modules(commands.__path__)),
    ]
)


async def _forked(
    arguments: Sequence[str],
    folder: Path | str | None,
    env: dict[str, str],
    begun: Begun = lambda _: None,
) -> Ended:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as said:
        process = _forkserver.Process(
            target=_command, args=(arguments, folder or Path.cwd(), env, said)
        )
        process.start()
        assert process.pid is not None
        begun(process.pid)
        loop.add_reader(process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process.sentinel)
            process.terminate()
            process.join()
        out, err = _read(Path(said))
        assert process.exitcode is not None
        code = process.exitcode
        process.close()
    return Ended(code, out, err)


_SAID = ("out", "err")


def _read(said: Path) -> tuple[str, ...]:
    return tuple((said / name).read_bytes().decode() for name in _SAID)


def _command(arguments: Sequence[str], folder: Path | str, env: dict[str, str], said: str) -> None:
    """What the forked process does."""
    from scoreboard.__main__ import main

    for name, stream in zip(_SAID, (sys.stdout, sys.stderr), strict=True):
        file = os.open(Path(said, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, stream.fileno())
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = ["scoreboard", *arguments]
    main()


@asynccontextmanager
async def started(*arguments: str, **variables: str) -> AsyncIterator[Process]:
    """The command for as long as the block lasts, then told to stop if it still runs. All that it
    says comes through its ``stdout``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", *arguments),
        env=environment(**variables),
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
