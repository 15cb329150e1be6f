"""The process beside `up` that outlives it.

It writes the logs of the children, which come through pipes, so that they can be rotated without
losing a line; and it ends the children when `up` is gone without having stopped them (kill -9).

`up` runs this file as a process and gives it orders over a socket. The socket ends when `up` ends,
for whatever reason, so nothing else has to work. What a person has to know of the logs comes back
over another one, for which `up` never waits: the process may stand still with its disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from scoreboard.local.child_processes import Child
from scoreboard.local.rotating_file import KEPT, MOST_BYTES, RotatingFile

DONE = b"done\n"
ANSWER_TIMEOUT = 60.0
FINISH_TIMEOUT = 10.0
CHUNK = 64 * 1024  # what a pipe holds
LONGEST_LINE = 256 * 1024  # a longer one is written in pieces


class Caretaker:
    """The side of `up`, a Keeper: a context manager that runs the process. It is started again if
    somebody ends it, at the next order or look; the pipes stay open meanwhile. ``lock`` see
    Keeper."""

    def __init__(self, lock: int, *, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> None:
        self.lock = lock
        self._arguments = [str(most_bytes), str(kept)]
        self._adopted: dict[Child, int] = {}
        self._process: subprocess.Popen[bytes]
        self._control: socket.socket
        self._news: socket.socket
        self._trouble = ""  # what it told last

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def adopt(self, child: Child, output: int) -> None:
        """See Keeper."""
        self._adopted[child] = output
        self._order(*self._adoption(child))

    def release(self, child: Child) -> None:
        """See Keeper."""
        if (output := self._adopted.pop(child, None)) is not None:
            self._order({"do": "release", "child": id(child)})
            os.close(output)

    def settle(self) -> None:
        """See Keeper."""
        self._order({"do": "settle"})

    def look(self) -> None:
        """Starts the process again if it has ended: nobody else reads what the children write, and
        they stand still when their pipes are full. Raises OSError when that can't be now, and while
        the latest lines of a log could not be written."""
        if self._process.poll() is not None:
            self._begin_again()
        with contextlib.suppress(BlockingIOError):
            if told := self._news.recv(CHUNK):
                self._trouble = told.decode().splitlines()[-1]
        if self._trouble:
            raise OSError(self._trouble)

    def __enter__(self) -> Caretaker:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._order({"do": "finish"})
        self._control.close()
        self._news.close()
        for output in self._adopted.values():
            os.close(output)
        try:
            self._process.wait(FINISH_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _begin(self) -> None:
        self._trouble = ""
        self._control, theirs = socket.socketpair()
        self._control.settimeout(ANSWER_TIMEOUT)
        with theirs:
            self._news, told = socket.socketpair()
            self._news.setblocking(False)
            with told:
                ends = theirs.fileno(), told.fileno()
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, *map(str, ends), *self._arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(*ends, self.lock),
                    start_new_session=True,
                )

    def _begin_again(self) -> None:
        self._control.close()
        self._news.close()
        self._process.kill()
        self._process.wait()
        self._begin()
        try:
            for child in self._adopted:
                self._send(*self._adoption(child))
        except OSError:
            self._process.kill()  # rather none, which is noticed, than one without some children
            raise

    def _order(self, order: Mapping[str, Any], *descriptors: int) -> None:
        """Never raises. Of an order that can't be given nothing is lost: the next process gets the
        children as they are then."""
        try:
            self._send(order, *descriptors)
        except OSError:  # it was ended
            with contextlib.suppress(OSError):
                self._begin_again()
                if order["do"] != "adopt":
                    self._send(order)

    def _send(self, order: Mapping[str, Any], *descriptors: int) -> None:
        socket.send_fds(self._control, [json.dumps(order).encode()], descriptors)
        if not self._control.recv(len(DONE)):
            raise BrokenPipeError

    def _adoption(self, child: Child) -> tuple[Mapping[str, Any], int]:
        order = {
            "do": "adopt",
            "child": id(child),
            "pid": child.pid,
            "signal": child.stop_signal.value,
            "log": str(child.log),
        }
        return order, self._adopted[child]


class _Process:
    """The process itself. ``_children`` has those to be ended, by the order of their first start:
    the last one is ended first."""

    def __init__(
        self, control: socket.socket, news: socket.socket, most_bytes: int, kept: int
    ) -> None:
        self._control = control
        self._news = news
        self._news.setblocking(False)
        self._trouble = ""  # as `up` knows it
        self._limits = {"most_bytes": most_bytes, "kept": kept}
        self._files: dict[str, RotatingFile] = {}
        self._children: dict[int, tuple[int, int] | None] = {}
        self._outputs: dict[int, tuple[RotatingFile, bytearray]] = {}
        self._selector = selectors.DefaultSelector()
        self._finishing = False

    def run(self) -> None:
        """Until `up` is gone and no child can write any more."""
        self._selector.register(self._control, selectors.EVENT_READ)
        while self._selector.get_map():
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    self._obey()
                elif key.fd in self._outputs:
                    self._copy(key.fd)
            self._tell()

    def _tell(self) -> None:
        """Tells `up` of a log whose lines are lost, and when there is none any more."""
        trouble = next((file.trouble for file in self._files.values() if file.trouble), "")
        if trouble != self._trouble:
            with contextlib.suppress(OSError):  # `up` is gone, or reads nothing for long
                self._news.send(f"{trouble}\n".encode())
            self._trouble = trouble

    def _obey(self) -> None:
        text, descriptors, _, _ = socket.recv_fds(self._control, 65_536, 1)
        if not text:
            self._selector.unregister(self._control)
            if not self._finishing:
                self._end_children()
            return
        order = json.loads(text)
        match order["do"]:
            case "adopt":
                self._children[order["child"]] = order["pid"], order["signal"]
                self._take(descriptors[0], order["log"])
            case "release":
                self._children[order["child"]] = None
            case "settle":
                for output in list(self._outputs):
                    self._copy(output)
            case "finish":
                self._finishing = True
        with contextlib.suppress(OSError):  # `up` is gone: the next read tells
            self._control.sendall(DONE)

    def _take(self, output: int, log: str) -> None:
        os.set_blocking(output, False)
        if log not in self._files:
            self._files[log] = RotatingFile(Path(log), **self._limits)
        self._outputs[output] = self._files[log], bytearray()
        self._selector.register(output, selectors.EVENT_READ)

    def _copy(self, output: int) -> None:
        """Writes the whole lines that have come, so that those of two children do not mix."""
        file, rest = self._outputs[output]
        try:
            chunk = os.read(output, CHUNK)
        except BlockingIOError:
            return
        rest += chunk
        whole = rest.rfind(b"\n") + 1
        if not chunk:
            if rest:
                file.write(bytes(rest) + b"\n")
            self._selector.unregister(output)
            del self._outputs[output]
            os.close(output)
        elif whole or len(rest) > LONGEST_LINE:
            whole = whole or len(rest)
            file.write(bytes(rest[:whole]))
            del rest[:whole]

    def _end_children(self) -> None:
        for child in reversed(self._children.values()):
            if child is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(*child)


def main() -> None:
    """Works for the `up` at the other end of the sockets whose descriptors are the first two
    arguments: for its orders, and for what it has to know."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the children's last lines are still to come
    control, news, most_bytes, kept = map(int, sys.argv[1:])
    _Process(socket.socket(fileno=control), socket.socket(fileno=news), most_bytes, kept).run()


if __name__ == "__main__":
    main()
