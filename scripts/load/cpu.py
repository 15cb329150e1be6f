"""CPU time of processes and of the machine."""

from __future__ import annotations

import psutil

PARTS = ("api", "persister", "Valkey", "Postgres")
BUSY = ("user", "nice", "system", "irq", "softirq")


def used(pid: int) -> float:
    """CPU seconds (user and system) that the process has used so far, its children included, also
    those that have ended."""
    return sum(map(_seconds, _with_children(pid)))


def parts(pid: int) -> dict[str, float]:
    """CPU seconds used so far by each of PARTS under the `scoreboard up` with that ``pid``."""
    spent = dict.fromkeys(PARTS, 0.0)
    for child in _with_children(pid, recursive=False)[1:]:
        part = _part(child)
        if part is not None:
            spent[part] += used(child.pid)
    return spent


def own(pid: int) -> float:
    """CPU seconds that the process has used so far by itself, and those of its children that have
    ended."""
    return sum(map(_seconds, _with_children(pid)[:1]))


def machine_busy() -> float:
    """Share of all cores that was in use since the last call, 0 to 1."""
    busy: float = psutil.cpu_percent(None)
    return busy / 100


def machine_used() -> float:
    """CPU seconds that all processes of the machine have used so far."""
    times = psutil.cpu_times()
    return float(sum(getattr(times, kind, 0.0) for kind in BUSY))


def _with_children(pid: int, *, recursive: bool = True) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=recursive)]
    except psutil.NoSuchProcess:
        return []


def _part(process: psutil.Process) -> str | None:
    try:
        command = process.cmdline()
    except psutil.Error:
        return None
    if "serve" in command:
        return "api"
    if "persist" in command:
        return "persister"
    words = " ".join(command).lower()
    if "valkey" in words or "redis-server" in words:
        return "Valkey"
    return "Postgres" if "postgres" in words else None


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
