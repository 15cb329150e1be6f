"""What is read twice a second beside the load: the server's CPU and its write-behind backlog."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from scripts.load import cpu
from scripts.load.api import Api, ApiError
from scripts.load_test.server import Server

EVERY = 0.5  # seconds
PROBE_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """``at`` in monotonic ns; ``cpu`` in seconds since the server's start, by part."""

    at: int
    cpu: dict[str, float]
    machine: float
    backlog: int | None


@dataclass
class Monitor:
    """Samples in a thread of its own, so that a slow answer holds up nothing else, and in any case
    once before the block and once after it."""

    server: Server
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor")
        self._api = Api(self.server.target, timeout=PROBE_TIMEOUT)

    def __enter__(self) -> Monitor:
        cpu.machine_busy()  # which tells of the time since it was asked last
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()
        self._api.close()

    def _run(self) -> None:
        due = time.monotonic() + EVERY
        while not self._stop.wait(due - time.monotonic()):
            self._sample()
            due = max(due + EVERY, time.monotonic())

    def _sample(self) -> None:
        try:
            backlog = self._api.backlog()
        except ApiError:
            backlog = None
        used = {} if self.server.pid is None else cpu.parts(self.server.pid)
        self.samples.append(Sample(time.monotonic_ns(), used, cpu.machine_busy(), backlog))
