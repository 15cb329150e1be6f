"""Runs a case: a list of steps, each an object with one of these keys.

``do`` gives the driver a command. ``expect`` is what it has to tell next, a list in any order.
``request`` is what has to reach the server next, with its ``answer``; ``send`` and ``end`` are for
the WebSocket that was opened last; ``{"repeat": text, "times": number}`` is a long text. In what is
expected only the members that are named count; a text ``$name`` stands for any value the first time
and for the same one from then on, and ``{"not": ...}`` for any other, ``{"moment": ...}`` for the
same time in any form. ``eventually`` reads until the answer is as expected. Where a client can't
tell as much, what it tells stands under its name beside ``expect``.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from clients.conformance.drivers import Driver
from clients.conformance.scripted_server import Request, ScriptedServer, end
from tests.support.waiting import wait_until

Step = dict[str, Any]

# Commands whose end the driver tells by the event of this name.
ENDED_BY = {"open": "opened", "submit": "kept", "advance": "advanced", "close": "closed"}


class Run:
    """One case with one driver."""

    def __init__(
        self,
        driver: Driver,
        folder: Path,
        url: str,
        server: ScriptedServer | None,
        names: dict[str, Any] | None = None,
    ) -> None:
        self._driver = driver
        self._folder = folder
        self._url = url
        self._server = server
        self._names: dict[str, Any] = dict(names or {})
        self._hanging: list[Request] = []
        self._latest: Request | None = None

    async def steps(self, steps: list[Step]) -> None:
        """Makes the steps, and closes the client. Nothing may be left that was not expected."""
        for at, step in enumerate(steps):
            try:
                await self._step(step)
            except AssertionError as error:
                raise AssertionError(f"step {at}, {step}: {error}") from error
        await self._command({"do": "close"})
        assert self._server is None or self._server.unexpected() == []

    async def _step(self, step: Step) -> None:
        match step:
            case {"do": _}:
                await self._command(self._filled(step))
            case {"eventually": read, "expect": expected}:
                await self._eventually(read, expected)
            case {"expect": [*expected]}:
                events = [await self._driver.event() for _ in expected]
                for one in expected:
                    assert any(self._matches(one, event) for event in events), f"told {events}"
            case {"expect": expected}:
                expected = step.get(self._driver.client, expected)
                told = await self._driver.event()
                assert self._matches(expected, told), f"told {told}"
            case {"request": expected, "answer": answer}:
                await self._request(expected, answer)
            case {"send": {"repeat": str(text), "times": int(times)}}:
                await (await self._socket()).send_str(times * text)
            case {"send": str(text)}:
                await (await self._socket()).send_str(text)
            case {"send": message}:
                await (await self._socket()).send_json(message)
            case {"end": how}:
                await end(await self._socket(), how)
            case {"answer": answer}:
                self._hanging.pop(0).answer.set_result(answer)
            case {"file": name, "text": text}:
                (self._folder / name).write_text(text, encoding=step.get("encoding", "utf-8"))
            case _:
                raise ValueError(step)

    async def _command(self, command: Step) -> None:
        if command["do"] == "open":
            command.setdefault("url", self._url)
            if "store" in command:
                command["store"] = str(self._folder / command["store"])
        self._driver.send(command)
        if name := ENDED_BY.get(command["do"]):
            told = await self._driver.event()
            assert told == {"event": name}, f"told {told}"

    async def _eventually(self, read: Step, expected: Step) -> None:
        async def is_as_expected() -> bool:
            await self._command(self._filled({"do": "read", **read}))
            return self._matches(expected, await self._driver.event())

        await wait_until(is_as_expected, description=f"an answer such as {expected}")

    async def _request(self, expected: Step, answer: Any) -> None:
        assert self._server is not None
        request = await self._server.next()
        assert self._matches(expected, request.told()), f"requested {request.told()}"
        if answer == "later":
            self._hanging.append(request)
            return
        request.answer.set_result(self._filled(answer))
        if answer == "upgrade":
            assert request.upgrade
            self._latest = request

    def _filled(self, answer: Any) -> Any:
        """The answer with the values that its names stand for."""
        if isinstance(answer, dict) and answer.keys() == {"repeat", "times"}:
            return answer["times"] * answer["repeat"]
        if isinstance(answer, dict):
            return {name: self._filled(value) for name, value in answer.items()}
        if isinstance(answer, list):
            return [self._filled(one) for one in answer]
        return self._names.get(answer, answer) if isinstance(answer, str) else answer

    async def _socket(self) -> Any:
        assert self._latest is not None
        return await self._latest.socket

    def _matches(self, expected: Any, told: Any) -> bool:
        if isinstance(expected, str) and expected.startswith("$"):
            return bool(self._names.setdefault(expected, told) == told)
        if isinstance(expected, dict) and expected.keys() == {"not"}:
            return not self._matches(expected["not"], told)
        if isinstance(expected, dict) and expected.keys() == {"moment"}:
            return datetime.fromisoformat(expected["moment"]) == datetime.fromisoformat(told)
        if isinstance(expected, dict) and isinstance(told, dict):
            return all(
                name in told and self._matches(value, told[name])
                for name, value in expected.items()
            )
        if isinstance(expected, list) and isinstance(told, list):
            return len(expected) == len(told) and all(map(self._matches, expected, told))
        if isinstance(expected, float) and isinstance(told, int | float):
            return abs(expected - told) < 1e-6
        return bool(expected == told)
