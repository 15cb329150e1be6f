"""What docs/redis.md says of how partitions spread over the masters of a cluster."""

from __future__ import annotations

import re
from pathlib import Path

from redis.crc import key_slot

from scoreboard.wire.keys import PartitionKeys

SLOTS = 16384
PAGE = Path(__file__).parents[3] / "docs" / "redis.md"


def spread(partitions: int, masters: int) -> list[int]:
    """How many partitions each master has when slots are dealt evenly and in order."""
    counts = [0] * masters
    lasts = [round((master + 1) * SLOTS / masters - 1) for master in range(masters)]
    for partition in range(partitions):
        slot = key_slot(PartitionKeys(partition).events.encode())
        counts[next(master for master, last in enumerate(lasts) if slot <= last)] += 1
    return counts


def test_the_page_tells_how_many_partitions_the_fullest_and_the_emptiest_master_have() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (head,) = re.findall(r"^\| masters \|.*$", page, re.MULTILINE)
    numbers = [int(number) for number in re.findall(r"\d+", head)]
    rows = re.findall(r"^\| (\d+) \| (\d+, \d+ \|.*)\|$", page, re.MULTILINE)

    assert (len(numbers), len(rows)) == (5, 6)
    for masters, cells in rows:
        counts = [spread(number, int(masters)) for number in numbers]
        assert cells.strip().split(" | ") == [f"{max(c)}, {min(c)}" for c in counts], masters
