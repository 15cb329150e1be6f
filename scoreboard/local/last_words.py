"""Why a process ended, in one line of what it has logged."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence

LONGEST = 240

_POSTGRES = re.compile(  # behind initdb's "running bootstrap script ... " too
    r"^(?:.* \.\.\. )?\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] (?P<level>[A-Z]+): +(?P<said>.*)"
)
_VALKEY = re.compile(r"^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ (?P<level>[-.*#]) (?P<said>.*)")
_GRAVE = {"FATAL", "PANIC"}
_AFTERWARDS = "cannot abort transaction"  # what Postgres panics with after the error that counts
_CRASH = re.compile(r"crashed by signal|Fatal error|Can't |Failed |FATAL|No space left")


def cause(lines: Sequence[str], exit_code: int | None) -> str:
    """The line that says most about the end: the last one that is marked as grave, else the last
    one; without its time, and cut when it is long. A process that was killed has not said why."""
    if exit_code in (-signal.SIGKILL, -signal.SIGTERM):
        return f"killed by {signal.Signals(-exit_code).name}"
    grave = last = ""
    for line in lines:
        if not (line := line.strip()):
            continue
        said, is_grave = _read(line)
        last = said
        if is_grave:
            grave = said
    found = grave or last or "it said nothing"
    if len(found) > LONGEST:
        found = f"{found[:LONGEST]}..."
    ended_by = f"killed by signal {-exit_code}: " if exit_code is not None and exit_code < 0 else ""
    return ended_by + found


def _read(line: str) -> tuple[str, bool]:
    """What a line says, and whether it is marked as grave."""
    if line.startswith("{"):
        return _event(line)
    if found := _POSTGRES.match(line):
        said = found["said"]
        return said, found["level"] in _GRAVE and not said.startswith(_AFTERWARDS)
    if found := _VALKEY.match(line):
        return found["said"], found["level"] == "#" and bool(_CRASH.search(found["said"]))
    for mark in ("scoreboard: ", "initdb: error: "):
        if line.startswith(mark):
            return line.removeprefix(mark), True
    return line, False


def _event(line: str) -> tuple[str, bool]:
    """An event of structlog: its name, with its reason and the last line of its traceback."""
    try:
        event = json.loads(line)
        parts = [str(event["event"])]
    except (ValueError, KeyError, TypeError):
        return line, False
    parts += [str(event[key]) for key in ("reason", "error") if event.get(key)]
    if raised := str(event.get("exception") or "").strip():
        parts.append(raised.splitlines()[-1])
    return ": ".join(parts), event.get("level") in ("error", "critical")
