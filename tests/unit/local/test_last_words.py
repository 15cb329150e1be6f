"""The cause of an end is picked from what a process has logged."""

from __future__ import annotations

import pytest

from scoreboard.local.last_words import LONGEST, cause

POSTGRES = """\
2026-11-26 14:40:01.123 UTC [7] LOG:  starting PostgreSQL 18.1
2026-11-26 14:40:02.001 UTC [7] PANIC:  could not write to file "pg_wal/7": No space left on device
2026-11-26 14:40:02.002 UTC [7] LOG:  database system is shut down
"""
INITDB = """\
creating configuration files ... ok
running bootstrap script ... 2026-11-26 18:38:32.376 UTC [7] FATAL:  could not write: File too large
child process exited with exit code 1
initdb: removing contents of data directory "/data/postgres/data.new"
"""
PANIC = """\
2026-11-26 14:40:01.123 UTC [7] FATAL:  could not write to file "base/1/2": No space left on device
2026-11-26 14:40:01.124 UTC [7] PANIC:  cannot abort transaction 1, it was already committed
"""
VALKEY = """\
7:M 26 Nov 2026 14:40:01.123 * Ready to accept connections tcp
7:M 26 Nov 2026 14:40:02.123 # Valkey 9.1.0 crashed by signal: 11, si_code: 0
7:M 26 Nov 2026 14:40:02.124 # Accessing address: 0x7
------ STACK TRACE ------
"""
REFUSED = """\
{"event": "waiting", "level": "info"}
scoreboard: Redis evicts keys (maxmemory-policy allkeys-lru): set it to noeviction.
"""
TRACEBACK = """\
Traceback (most recent call last):
  File "serve.py", line 1, in <module>
MemoryError: no more
"""
EVENT = """\
{"event": "part_failed", "level": "error", "exception": "Traceback\\n  in f\\nKeyError: 1"}
{"event": "stopping", "level": "info"}
"""


@pytest.mark.parametrize(
    ("log", "exit_code", "expected"),
    [
        (
            POSTGRES, 1,
            'could not write to file "pg_wal/7": No space left on device',
        ),
        (INITDB, 1, "could not write: File too large"),
        (
            PANIC, -6,
            'killed by signal 6: could not write to file "base/1/2": No space left on device',
        ),
        (VALKEY, -11, "killed by signal 11: Valkey 9.1.0 crashed by signal: 11, si_code: 0"),
        (VALKEY, -9, "killed by SIGKILL"),
        (REFUSED, 78, "Redis evicts keys (maxmemory-policy allkeys-lru): set it to noeviction."),
        (TRACEBACK, 1, "MemoryError: no more"),
        (EVENT, 1, "part_failed: KeyError: 1"),
        ("{ not json\n", 1, "{ not json"),
        ("\n \n", 1, "it said nothing"),
    ],
)  # fmt: skip
def test_the_line_that_says_most_is_chosen(log: str, exit_code: int, expected: str) -> None:
    assert cause(log.splitlines(), exit_code) == expected


def test_a_long_line_is_cut() -> None:
    assert cause(["x" * 100_000], 1) == "x" * LONGEST + "..."
