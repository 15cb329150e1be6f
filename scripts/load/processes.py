"""The generator's processes, as their parent sees them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import TypeVar

from scripts.load_test import messages, sender, watcher
from scripts.load_test.messages import Message
from scripts.load_test.plan import Plan, Target

M = TypeVar("M")

END_TIMEOUT = 5.0  # seconds that a process has to end by itself
SILENCE = 90.0  # seconds without a word after which a process is given up


class ProcessFailed(Exception):
    """A process of the generator ended or fell silent."""


class Processes:
    """Senders and watchers; used as a context that ends them."""

    def __init__(self, plan: Plan, target: Target) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._plan = plan
        self._target = target
        self._running: list[multiprocessing.process.BaseProcess] = []
        self.senders: list[Pipe] = []
        self.watchers: list[Pipe] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (*self.senders, *self.watchers):
            pipe.close()  # which ends a process that reads or writes it
        for process in self._running:
            process.join(END_TIMEOUT)
            if process.is_alive():
                process.kill()
                process.join()

    def start(self) -> None:
        """Start all and wait until each is connected. Raises ProcessFailed."""
        clients = self._plan.clients
        for index in range(min(self._plan.watchers, clients)):
            self.watchers.append(self._spawn(watcher.main, index))
        for index in range(self._plan.senders):
            self.senders.append(self._spawn(sender.main, index))
        for pipe in (*self.watchers, *self.senders):
            expect(pipe, messages.Ready)

    def begin(self, at: int) -> None:
        """Have the timetable begin at the monotonic ns ``at``."""
        for pipe in (*self.watchers, *self.senders):
            messages.send(pipe, messages.Start(at))

    def reports(
        self, progress: Callable[[int, messages.SentSoFar], None]
    ) -> list[messages.SenderReport]:
        """Wait for the senders' reports, telling ``progress`` of what they say meanwhile. Raises
        ProcessFailed."""
        reports: dict[int, messages.SenderReport] = {}
        while len(reports) < len(self.senders):
            open_pipes = [p for i, p in enumerate(self.senders) if i not in reports]
            ready = wait(open_pipes, SILENCE)
            if not ready:
                raise ProcessFailed("the senders have fallen silent")
            for pipe in ready:
                assert isinstance(pipe, Pipe)
                index = self.senders.index(pipe)
                message = _received(pipe)
                if isinstance(message, messages.SentSoFar):
                    progress(index, message)
                elif isinstance(message, messages.SenderReport):
                    reports[index] = message
        return [reports[index] for index in range(len(self.senders))]

    def positions(self) -> Iterator[messages.Positions]:
        """Where the watchers' clients stand. Raises ProcessFailed."""
        for pipe in self.watchers:
            messages.send(pipe, messages.AskPositions())
        for pipe in self.watchers:
            yield expect(pipe, messages.Positions)

    def finish_watchers(self) -> list[messages.WatcherReport]:
        """End the watchers with their reports. Raises ProcessFailed."""
        for pipe in self.watchers:
            messages.send(pipe, messages.Finish())
        return [expect(pipe, messages.WatcherReport) for pipe in self.watchers]

    def _spawn(self, main: Callable[..., None], index: int) -> Pipe:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=main, args=(theirs, self._plan, self._target, index), daemon=True
        )
        process.start()
        theirs.close()
        self._running.append(process)
        return ours


def expect(pipe: Pipe, kind: type[M]) -> M:
    """The next message, which has to be of ``kind``. Raises ProcessFailed."""
    if not pipe.poll(SILENCE):
        raise ProcessFailed(f"no {kind.__name__} after {SILENCE:.0f} s")
    message = _received(pipe)
    if not isinstance(message, kind):
        raise ProcessFailed(f"{message} instead of {kind.__name__}")
    return message


def _received(pipe: Pipe) -> Message:
    try:
        message = messages.receive(pipe)
    except (EOFError, OSError) as error:
        raise ProcessFailed("a process of the generator has ended; see its error above") from error
    if isinstance(message, messages.Failed):
        raise ProcessFailed(message.reason)
    return message
