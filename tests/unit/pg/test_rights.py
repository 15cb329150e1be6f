"""The rights of the service's role in Postgres."""

from __future__ import annotations

import re

from scoreboard.pg.sql import statements


def test_a_service_looks_for_every_right_to_delete_that_it_is_granted() -> None:
    granted = re.search(r"GRANT DELETE ON ([^;]*?)\s+TO ", statements("grants")["grants"])
    looked_for = re.search(r"relname IN \(([^)]*)\)", statements("fitness")["lacking_rights"])
    assert granted
    assert looked_for

    assert re.findall(r"\w+", looked_for[1]) == re.findall(r"\w+", granted[1])
