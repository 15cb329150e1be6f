"""What is read twice a second beside the load: the server's CPU and its write-behind backlog."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from scripts.load_test import cpu
from scripts.load_test.api import Api, ApiError
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
    """Samples in a thread of its own, so that a slow answer holds up nothing else."""

    server: Server
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor")

    def __enter__(self) -> Monitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        api = Api(self.server.target, timeout=PROBE_TIMEOUT)
        cpu.machine_busy()
        due = time.monotonic()
        while not self._stop.is_set():
            self.samples.append(self._sample(api))
            due = max(due + EVERY, time.monotonic())
            self._stop.wait(due - time.monotonic())
        api.close()

    def _sample(self, api: Api) -> Sample:
        try:
            backlog = api.backlog()
        except ApiError:
            backlog = None
        used = {} if self.server.pid is None else cpu.parts(self.server.pid)
        return Sample(time.monotonic_ns(), used, cpu.machine_busy(), backlog)
