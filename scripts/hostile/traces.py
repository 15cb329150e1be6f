"""What attacks leave behind: secrets in logs, memory, descriptors."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scripts.hostile.ground import Ground

MAX_MEMORY = 300 * 2**20  # bytes that a serving process may grow by in an attack
MAX_LOG = 2 * 2**20  # bytes that an attack may add to all logs
MAX_TOLD = 4000  # bytes of a traceback that a finding shows


def known_secrets(folder: Path) -> set[str]:
    """The secrets of the `scoreboard up` in ``folder``: its token, its key, its servers' URLs."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    passwords = {
        text.rpartition("@")[0].rpartition(":")[2]
        for name, text in run.items()
        if name.endswith("_url")
    }
    key = (folder / "secret").read_text(encoding="utf-8").strip()
    return {run["token"].rpartition(".")[2], key, *passwords} - {""}


def logs(folder: Path) -> list[Path]:
    """The logs, those that were put aside among them; not what `up` has shown its own terminal."""
    return [path for path in folder.glob("*.log*") if path.is_file() and path.stem != "up"]


def size_of_logs(folder: Path) -> int:
    """Bytes in all logs."""
    return sum(path.stat().st_size for path in logs(folder))


def leaks(ground: Ground) -> list[str]:
    """What must not be in a log and is."""
    found = []
    for path in logs(ground.folder):
        text = path.read_bytes()
        found += [
            f"{path.name} holds a secret ({secret[:4]}...)"
            for secret in ground.secrets
            if secret.encode() in text
        ]
        _, traceback, rest = text.partition(b"Traceback (most recent call last)")
        if traceback:
            told = rest[:MAX_TOLD].decode(errors="replace")
            found.append(f"{path.name} holds a traceback: {told}")
    return found


def memory(pids: list[int]) -> int:
    """Bytes of memory that the processes use by themselves."""
    return sum(
        int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) for pid in pids
    ) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """How many descriptors the process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def serving(up: int) -> list[int]:
    """The serving processes of the `scoreboard up` with this id, also of one below it."""
    children: dict[int, list[int]] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            pid = int(entry.name)
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(pid)
            commands[pid] = command
    found, waiting = [], [up]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        if commands.get(pid, "").rstrip().endswith("scoreboard serve"):
            found.append(pid)
    return found
