"""What outsiders are to be told is recorded with what it tells of, for those who want it alone."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from scoreboard.api.sharded_boards import ShardedBoards
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.webhooks import NewWebhook
from scoreboard.errors import TooManyWebhooks
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.archived_shards import ArchivedShards
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.outside_events import OutsideEvents, forget_in_events, tell_of_erasure
from scoreboard.settings import Settings
from scoreboard.webhooks.top_teller import TopTeller
from tests.integration.webhooks.conftest import Outside, telling
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, event, opened
from tests.support.moderated_arena import Moderated
from tests.support.occurrences import end_occurrence, make_final
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Receiver

URL = "https://example.com"


async def close_an_occurrence(ledger: Ledger, *users: str) -> None:
    """The first day of the board, in which each user scored more than the one before."""
    start = START_MS + 1_000
    events = [
        event(f"{start}-{n}", user, "a1", n, attempt=f"t{n}", moves=f"day:1 {n} {start} -")
        for n, user in enumerate(users, 1)
    ]
    async with ledger.locked(PARTITION) as session:
        await session.write([opened(f"{start}-0", "day", 1, start, start + 1_000), *events], [])
        await session.source.finalise(BOARD, "day", 1)


async def test_nothing_is_recorded_that_no_webhook_wants(
    outside: Outside, ledger: Ledger, court: Moderated
) -> None:
    await outside.add(URL, "player.erased")
    await outside.add(URL, "occurrence.closed", boards=["another"])
    await close_an_occurrence(ledger, "ann")
    await court.set_mode("reject")
    await court.case("bob", "s1", 100)
    assert await outside.database.fetchval("SELECT count(*) FROM outside_event") == 0


async def test_each_webhook_gets_an_event_of_its_own_with_the_final_top(
    outside: Outside, ledger: Ledger
) -> None:
    some = [
        await outside.add(URL, "occurrence.closed", boards=boards) for boards in (None, [BOARD])
    ]
    await close_an_occurrence(ledger, *(f"user{n:02}" for n in range(1, 13)))
    first, second = await outside.bodies("occurrence.closed")
    assert first == second
    assert first["users"] == 12
    assert first["topScores"] == [
        {"userId": f"user{n:02}", "score": n, "rank": 13 - n} for n in range(12, 2, -1)
    ]
    ids = [(await outside.deliveries(webhook))[0].message for webhook in some]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ({"topSize": 2}, [("cid", 3, 1), ("bob", 2, 2)]),
        ({"operator": "best", "order": "asc"}, [("cid", -3, 1), ("bob", -2, 2), ("ann", -1, 3)]),
    ],
)
async def test_the_final_top_follows_the_boards_rules(
    outside: Outside, ledger: Ledger, rules: dict[str, Any], shown: list[Any]
) -> None:
    await outside.database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ($1, $2, $3)",
        BOARD,
        PARTITION,
        msgspec.json.encode(rules).decode(),
    )
    await outside.add(URL, "occurrence.closed")
    await close_an_occurrence(ledger, "ann", "bob", "cid")
    (body,) = await outside.bodies("occurrence.closed")
    assert [tuple(entry.values()) for entry in body["topScores"]] == [
        (rank, score, user) for user, score, rank in shown
    ]


async def test_the_largest_event_fits_what_is_said_of_it(outside: Outside, ledger: Ledger) -> None:
    await outside.database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ($1, $2, $3)",
        BOARD,
        PARTITION,
        BoardSettings(top_size=100).to_text(),
    )
    await outside.add(URL, "occurrence.closed")
    await close_an_occurrence(ledger, *(chr(0x1F600 + n) * 128 for n in range(100)))
    ((size,),) = await outside.database.fetch("SELECT octet_length(body::text) FROM outside_event")
    assert 50_000 < size < 64 * 1024


async def test_what_is_rolled_back_is_not_told(outside: Outside, ledger: Ledger) -> None:
    await outside.add(URL, "player.erased")
    transaction = outside.database.transaction()
    await transaction.start()
    await tell_of_erasure(outside.database, user="ann", mode="erase", erasure="e1")
    await transaction.rollback()
    assert await outside.bodies("player.erased") == []


async def test_an_erased_player_is_told_of_whatever_boards_a_webhook_names(
    outside: Outside,
) -> None:
    await outside.add(URL, "player.erased", boards=["arena"])
    await outside.erase("ann")
    assert await outside.bodies("player.erased") == [
        {"userId": "ann", "mode": "erase", "erasure": "e1"}
    ]


async def test_a_case_is_told_once_with_who_objected(outside: Outside, court: Moderated) -> None:
    await outside.add(URL, "review.opened")
    await court.set_mode("reject")
    case = await court.case("ann", "s1", 100)
    await court.case("ann", "s2", 100)  # the same episode
    other = await court.case("bob", "s3", 100)
    bodies = await outside.bodies("review.opened")
    assert [(body["userId"], body["review"]) for body in bodies] == [
        ("ann", f"/api/admin/reviews/{case.id}"),
        ("bob", f"/api/admin/reviews/{other.id}"),
    ]
    assert {
        "board": "arena",
        "kind": "refused",
        "actionId": "s1",
        "points": 100,
        "agents": [reason.agent for reason in case.findings],
    }.items() <= bodies[0].items()


async def test_a_conflict_is_told_and_a_late_duplicate_is_not(
    outside: Outside, ledger: Ledger
) -> None:
    await outside.add(URL, "review.opened")
    async with ledger.locked(PARTITION) as session:
        await session.write(
            [
                event("9-0", "ann", "a1", 5),
                event("9-1", "ann", "a1", 7, kind="C", attempt="conflict"),
                event("9-2", "ann", "a1", 5, attempt="late"),
            ],
            [],
        )
    kinds = await outside.database.fetch("SELECT kind FROM review ORDER BY id")
    assert {row["kind"] for row in kinds} == {"conflict", "late_duplicate"}
    assert [body["kind"] for body in await outside.bodies("review.opened")] == ["conflict"]


async def test_events_go_on_while_webhooks_are_added_and_removed(
    outside: Outside, pool: asyncpg.Pool
) -> None:
    """Adding and removing neither waits for a transaction that tells something nor fails it."""
    first = await outside.add(URL)
    async with outside.database.transaction():
        await tell_of_erasure(outside.database, user="ann", mode="erase", erasure="e1")
        second = await outside.add(URL)
        await outside.webhooks.remove(first, by="eve")
        await tell_of_erasure(outside.database, user="bob", mode="erase", erasure="e1")
    assert await outside.deliveries(second) != []
    assert [body["userId"] for body in await outside.bodies("player.erased")] == ["ann", "bob"]
    await OutsideEvents(pool).tidy()
    assert len(await outside.bodies("player.erased")) == 1


async def test_an_installation_has_so_many_webhooks_at_most(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoreboard.pg.webhooks.MAX_WEBHOOKS", 3)
    new = NewWebhook(url=URL, events=["player.erased"])
    results = await asyncio.gather(
        *(outside.webhooks.add(new, "whsec_AAAA", by="eve") for _ in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, TooManyWebhooks) for result in results) == 3
    assert len(await outside.webhooks.all()) == 3


async def test_an_erased_player_is_taken_out_of_what_waits_to_be_told(
    outside: Outside, ledger: Ledger, court: Moderated
) -> None:
    await outside.add(URL, "occurrence.closed", "review.opened", "player.erased")
    await close_an_occurrence(ledger, "ann", "bob")
    await court.set_mode("reject")
    await court.case("ann", "s1", 100)
    await court.case("bob", "s2", 100)
    async with outside.database.transaction():
        assert await forget_in_events(outside.database, "ann") == 2
        await tell_of_erasure(outside.database, user="ann", mode="erase", erasure="e1")
    (closed,) = await outside.bodies("occurrence.closed")
    assert [entry["userId"] for entry in closed["topScores"]] == ["bob"]
    assert [body["userId"] for body in await outside.bodies("review.opened")] == ["bob"]
    assert [body["userId"] for body in await outside.bodies("player.erased")] == ["ann"]


async def test_an_event_of_an_earlier_version_is_kept_for_nobody(outside: Outside) -> None:
    await outside.add(URL, "occurrence.closed")
    await outside.database.execute(
        "INSERT INTO outside_event (kind, board, body) VALUES ('occurrence_final', 'arena', '{}')"
    )
    assert await outside.database.fetchval("SELECT count(*) FROM outside_event") == 0


class Board:
    """The board ``arena``, whose top the receiver watches."""

    def __init__(self, court: Moderated, receiver: Receiver) -> None:
        self.court = court
        self.receiver = receiver

    @property
    def told(self) -> list[list[tuple[str, int]]]:
        return [
            [(entry["userId"], entry["score"]) for entry in one.event["data"]["topScores"]]
            for one in self.receiver.received
        ]

    async def score(self, *actions: tuple[str, str, int]) -> None:
        await self.court.arena.submit(*actions)
        await self.court.arena.persist()

    async def last(self, *top: tuple[str, int]) -> None:
        await wait_until(
            lambda: self.told[-1:] == [list(top)], description=f"{top} is told, of {self.told}"
        )


async def test_a_changed_top_is_told_and_one_that_is_the_same_is_not(
    near: Settings, outside: Outside, court: Moderated, receiver: Receiver
) -> None:
    board = Board(court, receiver)
    await outside.add(receiver.url, "top.changed", boards=["arena", "not-there"], interval=1)
    await board.score(*((f"user{n:02}", "a1", 100 + n) for n in range(10)))
    top = [(f"user{n:02}", 100 + n) for n in range(9, -1, -1)]
    async with telling(near), telling(near):
        await board.last(*top)
        await board.score(("eleventh", "a1", 1))
        await outside.database.execute("UPDATE webhook_top SET looked = '-infinity'")
        await board.score(("user00", "a2", 500))
        await board.last(("user00", 600), *top[:-1])
    assert len(board.told) == 2


async def test_a_user_who_is_hidden_leaves_the_top_that_is_told(
    near: Settings, outside: Outside, court: Moderated, receiver: Receiver
) -> None:
    board = Board(court, receiver)
    await outside.add(receiver.url, "top.changed", boards=["arena"])
    await board.score(("ann", "a1", 5), ("bob", "b1", 3))
    async with telling(near):
        await board.last(("ann", 5), ("bob", 3))
        await court.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="")
        await outside.database.execute("UPDATE webhook_top SET looked = looked - interval '60 s'")
        await board.last(("bob", 3))


async def test_of_a_board_without_a_table_of_all_time_the_tops_of_current_occurrences_are_told(
    near: Settings, outside: Outside, court: Moderated, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    """And the one of an occurrence that is over is remembered no longer."""
    rules = BoardSettings(periods=(Period("week", cron="0 0 * * 1"),), all_time=False)
    arena, board = court.arena, Board(court, receiver)
    await court.moderator.configure("arena", lambda _: rules, by="eve")
    await outside.add(receiver.url, "top.changed", boards=["arena"], interval=1)
    await board.score(("ann", "a1", 5), ("bob", "b1", 3))
    async with telling(near):
        await board.last(("ann", 5), ("bob", 3))
        await end_occurrence(arena, "week")
        await outside.database.execute("UPDATE webhook_top SET looked = '-infinity'")
        await board.score(("bob", "b2", 4))
        await board.last(("bob", 4))
    told = [one.event["data"] for one in receiver.received]
    assert {data["board"] for data in told} == {"arena"}
    assert [(data["period"], data["occurrence"]) for data in told] == [("week", 1), ("week", 2)]

    await make_final(arena, "week", 1)
    await OutsideEvents(pool).tidy()
    tables = await outside.database.fetch("SELECT board FROM webhook_top")
    assert [row["board"] for row in tables] == ["arena:week:2"]


async def test_of_several_changes_within_an_interval_the_last_one_is_told(
    near: Settings, outside: Outside, court: Moderated, receiver: Receiver
) -> None:
    board = Board(court, receiver)
    await outside.add(receiver.url, "top.changed", boards=["arena"], interval=3_600)
    await board.score(("ann", "a1", 1))
    async with telling(near):
        await board.last(("ann", 1))
        for n in range(2, 6):
            await board.score(("ann", f"a{n}", 1))
        await outside.database.execute("UPDATE webhook_top SET looked = now() - interval '1 hour'")
        await board.last(("ann", 5))
    assert board.told == [[("ann", 1)], [("ann", 5)]]


async def test_a_top_is_told_again_when_a_clock_that_was_ahead_is_set_right(
    near: Settings, outside: Outside, court: Moderated, receiver: Receiver
) -> None:
    board = Board(court, receiver)
    await outside.add(receiver.url, "top.changed", boards=["arena"], interval=3_600)
    await board.score(("ann", "a1", 1))
    async with telling(near):
        await board.last(("ann", 1))
        await board.score(("ann", "a2", 1))
        await outside.database.execute("UPDATE webhook_top SET looked = now() + interval '3 days'")
        await board.last(("ann", 2))


async def test_a_receiver_that_was_away_gets_the_newest_top_alone(
    near: Settings, outside: Outside, court: Moderated, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    board = Board(court, receiver)
    webhook = await outside.add(receiver.url, "top.changed", boards=["arena"], interval=1)
    await board.score(("ann", "a1", 1))
    async with receiver.away():
        async with telling(near):
            await outside.failing(webhook)
        # Nobody delivers meanwhile: an attempt that is under way when a newer top comes may arrive.
        tops = ShardedBoards(ArchivedBoards(pool), ArchivedShards(pool))
        teller = TopTeller(OutsideEvents(pool), tops)
        for n in range(2, 5):
            (before,) = await outside.deliveries(webhook)
            await board.score(("ann", f"a{n}", 1))
            await outside.database.execute("UPDATE webhook_top SET looked = '-infinity'")
            await teller.look()
            (newer,) = await outside.deliveries(webhook)
            assert newer.message != before.message
    await outside.let_pauses_pass()
    async with telling(near):
        await board.last(("ann", 4))
    assert board.told == [[("ann", 4)]]
