"""CPU time of the server's parts, found among the children of `scoreboard up`."""

from __future__ import annotations

import psutil

PARTS = ("api", "persister", "Valkey", "Postgres")


def parts(pid: int) -> dict[str, float]:
    """CPU seconds (user and system) used so far by each of PARTS under the process ``pid``,
    their own children included, also those that have ended."""
    used = dict.fromkeys(PARTS, 0.0)
    for child in _children(pid):
        part = _part(child)
        if part is None:
            continue
        for process in (child, *_children(child.pid, recursive=True)):
            used[part] += _seconds(process)
    return used


def machine_busy() -> float:
    """Share of all cores that was in use since the last call, 0 to 1."""
    busy: float = psutil.cpu_percent(None)
    return busy / 100


def _children(pid: int, *, recursive: bool = False) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=recursive)
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
