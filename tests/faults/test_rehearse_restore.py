"""The commands of docs/backup.md bring back what a backup had; `make rehearse-restore` in short."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from scripts.rehearse_restore import (
    REHEARSALS,
    Contradiction,
    Rehearsal,
    Season,
    check,
    site_in,
)
from tests.support.extent import further


@further
@pytest.mark.parametrize("rehearsal", REHEARSALS, ids=lambda one: one.__name__)
async def test_what_a_backup_had_comes_back_and_the_rest_counts_once_repeated(
    tmp_path: Path, rehearsal: Rehearsal
) -> None:
    said: list[str] = []
    async with site_in(tmp_path) as site:
        await rehearsal(site, Season(seed=1), 100, said.append)

    assert said[-1] == "verified again: no differences"


@further
async def test_an_action_that_a_restore_lacks_is_noticed(tmp_path: Path) -> None:
    season = Season(seed=1)
    async with site_in(tmp_path) as site:
        kept = await season.post(site, 100)
        await site.drained()
        owner = await asyncpg.connect(site.url("scoreboard_owner"))
        await owner.execute("DELETE FROM score_action WHERE action_id = 'action7'")
        await owner.close()

        with pytest.raises(Contradiction, match="the ledger has 99 actions, not 100"):
            await check(site, season, kept, print)
