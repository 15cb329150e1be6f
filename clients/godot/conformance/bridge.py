"""Runs the driver in Godot, which reads no standard input. What comes here goes to it over a
socket, and what it tells comes out here. It ends with this process, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        command = ["godot3-server", "--path", str(PROJECT), "--script", "conformance/driver.gd"]
        godot = subprocess.Popen(
            [*command, str(port)], stdout=sys.stderr, preexec_fn=end_with_parent
        )
        connection, _ = listening.accept()

    def to_driver() -> None:
        while text := os.read(0, 1 << 16):
            connection.sendall(text)
        godot.kill()  # whoever gave commands is gone

    threading.Thread(target=to_driver, daemon=True).start()
    while told := connection.recv(1 << 16):
        os.write(1, told)
    sys.exit(godot.wait())


if __name__ == "__main__":
    main()
