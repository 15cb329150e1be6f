"""The driver of the Python client for ../../conformance: with ``--plain`` that for plain code."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from scoreboard_client import (
    Action,
    AsyncScoreboard,
    Event,
    Journal,
    Outcome,
    PlainWatch,
    PlayerStanding,
    Refused,
    Retry,
    Scoreboard,
    ScoreboardError,
    State,
    SystemClock,
    Watch,
)

_writing = threading.Lock()
_later: list[str] | None = None  # what the client's thread tells while an action is submitted


def tell(event: str, **members: Any) -> None:
    line = json.dumps({"event": event, **camel(members)})
    with _writing:
        if _later is None:
            print(line, flush=True)
        else:
            _later.append(line)


def camel(value: Any) -> Any:
    """Names as the API has them."""
    if dataclasses.is_dataclass(value):
        return camel(vars(value))
    if isinstance(value, dict):
        return {
            re.sub("_([a-z0-9])", lambda found: found[1].upper(), name): camel(one)
            for name, one in value.items()
        }
    return [camel(one) for one in value] if isinstance(value, list) else value


def snake(name: str) -> str:
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


class ManualClock:
    """A clock that goes on by commands only."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep_until(self, moment: float) -> None:
        if moment > self._now:
            sleeper = (moment, asyncio.get_running_loop().create_future())
            self._sleepers.append(sleeper)
            try:
                await sleeper[1]
            finally:
                self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for moment, sleeper in self._sleepers:
            if moment <= self._now and not sleeper.done():
                sleeper.set_result(None)
        tell("advanced")


class Forgetful(Journal):
    """A store that fails to drop what is settled."""

    def drop(self, number: int) -> None:
        raise RuntimeError(f"{number} stays")


def on_settled(action: Action, outcome: Outcome) -> None:
    told = {"board": action.board, "user_id": action.user_id, "action_id": action.action_id}
    if isinstance(outcome, Refused):
        tell("refused", **told, code=outcome.code, status=outcome.status)
    else:
        tell("settled", **told | {n: v for n, v in vars(outcome).items() if v is not None})


def on_retry(retry: Retry) -> None:
    told = {"board": retry.board, "user_id": retry.user_id}
    tell("retry", **told, code=retry.error.code, seconds=retry.seconds)


def options(command: dict[str, Any], clock: ManualClock | None) -> dict[str, Any]:
    """The client's, as ``open`` gives them."""
    given: dict[str, Any] = {"on_settled": on_settled, "on_retry": on_retry}
    tokens = list(command.get("tokens", []))

    async def token() -> str:
        given = tokens.pop(0) if len(tokens) > 1 else tokens[0]
        if not isinstance(given, dict):
            return str(given)
        if "throws" in given:
            raise RuntimeError(given["throws"])
        tell("tokenAsked")
        await asyncio.Future()
        raise AssertionError

    if "tokens" in command:
        given["token"] = token
    if "store" in command:
        given["store"] = (Forgetful if command.get("forgetful") else Journal)(command["store"])
    for name in ("board", "timeout", "most"):
        if name in command:
            given[name] = command[name]
    given["random"] = lambda: float(command.get("random", 0.5))
    given["clock"] = clock or SystemClock()
    return given


def happened(event: Event, watch: Watch | PlainWatch) -> None:
    if isinstance(event, State):
        ranks = {user: standing.rank for user, standing in watch.standings.items()}
        tell("state", **vars(event), stale=watch.stale, ranks=ranks)
    else:
        name = "standing" if isinstance(event, PlayerStanding) else type(event).__name__
        tell(name[0].lower() + name[1:], **vars(event))


def failed(error: ScoreboardError) -> None:
    tell("error", code=error.code, status=error.status)


def arguments(command: dict[str, Any]) -> dict[str, Any]:
    given = {**command, **command.get("profile", {})}
    return {
        "from_" if name == "from" else snake(name): moment_or(value)
        for name, value in given.items()
        if name not in ("do", "call", "profile")
    }


def moment_or(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"moment"}:
        return datetime.fromisoformat(value["moment"])
    return value


class AsyncDriver:
    """Commands to AsyncScoreboard."""

    def __init__(self) -> None:
        self._clock: ManualClock | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command = json.loads(line)
            await getattr(self, command["do"])(command)

    async def open(self, command: dict[str, Any]) -> None:
        self._clock = ManualClock() if command.get("clock") != "real" else None
        try:
            self._client = AsyncScoreboard(command["url"], **options(command, self._clock))
            await self._client.open()
        except OSError:
            tell("notOpened")
        else:
            tell("opened")

    async def close(self, command: dict[str, Any]) -> None:
        await self.unwatch(command)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._client.close()
        tell("closed")

    async def submit(self, command: dict[str, Any]) -> None:
        try:
            self._client.submit(**arguments(command))
        except OSError:
            tell("notKept")
        else:
            tell("kept")

    async def flush(self, command: dict[str, Any]) -> None:
        async def flush() -> None:
            await self._client.flush()
            tell("flushed")

        self._tasks.append(asyncio.create_task(flush()))

    async def read(self, command: dict[str, Any]) -> None:
        async def read() -> None:
            try:
                if command["call"] == "table":
                    value: Any = [one async for one in self._client.table(**arguments(command))]
                else:
                    method = getattr(self._client, snake(command["call"]))
                    value = await method(**arguments(command))
                tell("answer", value=value)
            except ScoreboardError as error:
                failed(error)

        self._tasks.append(asyncio.create_task(read()))

    async def watch(self, command: dict[str, Any]) -> None:
        watch = self._client.watch(**arguments(command))

        async def follow() -> None:
            async for event in watch:
                happened(event, watch)

        self._watching = asyncio.create_task(follow())

    async def unwatch(self, command: dict[str, Any]) -> None:
        if hasattr(self, "_watching"):
            self._watching.cancel()
            await asyncio.wait({self._watching})

    async def advance(self, command: dict[str, Any]) -> None:
        assert self._clock is not None
        self._clock.advance(command["seconds"])


class PlainDriver:
    """Commands to Scoreboard."""

    def __init__(self) -> None:
        self._clock: ManualClock | None = None

    def run(self) -> None:
        for line in sys.stdin:
            command = json.loads(line)
            getattr(self, command["do"])(command)

    def open(self, command: dict[str, Any]) -> None:
        self._clock = ManualClock() if command.get("clock") != "real" else None
        try:
            self._client = Scoreboard(command["url"], **options(command, self._clock))
        except OSError:
            tell("notOpened")
        else:
            tell("opened")

    def close(self, command: dict[str, Any]) -> None:
        self._client.close()
        tell("closed")

    def submit(self, command: dict[str, Any]) -> None:
        global _later
        with _writing:
            _later = []
        told = "kept"
        try:
            self._client.submit(**arguments(command))
        except OSError:
            told = "notKept"
        with _writing:  # this comes first, whatever the other thread has to tell
            print(json.dumps({"event": told}), *_later, sep="\n", flush=True)
            _later = None

    def flush(self, command: dict[str, Any]) -> None:
        def flush() -> None:
            self._client.flush()
            tell("flushed")

        self._aside(flush)

    def read(self, command: dict[str, Any]) -> None:
        def read() -> None:
            try:
                value = getattr(self._client, snake(command["call"]))(**arguments(command))
                tell("answer", value=list(value) if command["call"] == "table" else value)
            except ScoreboardError as error:
                failed(error)

        self._aside(read)

    def watch(self, command: dict[str, Any]) -> None:
        self._watching = self._client.watch(**arguments(command))

        def follow() -> None:
            for event in self._watching:
                happened(event, self._watching)

        self._aside(follow)

    def unwatch(self, command: dict[str, Any]) -> None:
        self._watching.close()

    def advance(self, command: dict[str, Any]) -> None:
        assert self._clock is not None
        self._client._loop.call_soon_threadsafe(self._clock.advance, command["seconds"])

    def _aside(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    if "--plain" in sys.argv:
        PlainDriver().run()
    else:
        asyncio.run(AsyncDriver().run())
