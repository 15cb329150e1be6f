"""What `up` tells while it runs, by a thread of its own: whoever reads slowly, stops reading or
leaves holds up nothing that runs."""

from __future__ import annotations

import contextlib
import os
import queue
import threading

from scoreboard.commands.terminal import printable

MOST_WAITING = 1000  # sentences that nobody reads; further ones are dropped
LAST_WORDS = 2.0  # seconds that a reader gets at the end


class Teller:
    """A context manager that writes to the descriptor ``output``, in the order of the calls. At the
    end of the block it waits for a moment until all is written."""

    def __init__(self, output: int, encoding: str) -> None:
        self._output = output
        self._encoding = encoding
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def say(self, text: str) -> None:
        """Prints lines, soon. Never waits and never raises; may be called from any thread. What is
        said while the thread can't be started waits for a later call."""
        self._put(text)

    def __enter__(self) -> Teller:
        return self

    def __exit__(self, *_: object) -> None:
        self._put(None)
        if self._thread is not None:
            self._thread.join(LAST_WORDS)

    def _put(self, text: str | None) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(text)
        with self._starting, contextlib.suppress(RuntimeError):  # no further thread is to be had
            if self._thread is None:
                thread = threading.Thread(target=self._run, daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        # Past sys.stdout: what stood in its buffer would be waited for at the end of the process.
        with contextlib.suppress(OSError):  # the reader has left
            while (text := self._waiting.get()) is not None:
                left = f"{printable(text)}\n".encode(self._encoding, "backslashreplace")
                while left:
                    left = left[os.write(self._output, left) :]
