"""What submit_scores counts in the occurrences of periods, and how these turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import TableMove
from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.periods import Period
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.domain.submissions import Outcome, PeriodMove
from scoreboard.wire import scripts
from scoreboard.wire.events import EventKind, Opened
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.replies import parse_reply
from tests.lua.harness import Action, Board
from tests.support.waiting import PATIENCE

HOUR = 3_600_000
START = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = Period("week", cron="0 0 * * 1")
DAY = Period("day", cron="0 0 * * *", grace=600)
LONG_AGO, FAR = 1_000, 9_000_000_000_000


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def board_with(client: Redis, *periods: Period, **rules: object) -> Board:
    """A live board whose calls name an open first occurrence of each period."""
    board = Board(client, settings=BoardSettings(periods=periods, **rules))  # type: ignore[arg-type]
    board.named = {period.name: f"1 {LONG_AGO} {FAR} {FAR}" for period in periods}
    return board


def periods_of(reply: str, sign: int = 1) -> list[PeriodMove]:
    result = parse_reply(reply.encode(), sign)
    assert result.outcome is Outcome.ACCEPTED
    return list(result.periods)


def ended(board: Board, period: str, *, final_in: int = 0) -> int:
    """Lets the period's latest occurrence have ended; its end. Latecomers have ``final_in`` ms."""
    known = KnownPeriod.from_text(board.knows(period) or "")
    assert known is not None
    end = board.now_ms() - 1
    over = f"{known.latest.number} {known.latest.starts_at} {end} {end + final_in}"
    board.redis.hset(board.keys.meta, f"period:{period}", over)
    return end


def test_one_action_counts_in_the_board_and_in_each_open_occurrence(client: Redis) -> None:
    board = board_with(client, WEEK, DAY)
    board.submit(Action("ann", "a1", 5), Action("bob", "b1", 7))
    (reply,) = board.submit(Action("ann", "a2", 4))

    assert periods_of(reply) == [
        PeriodMove("week", 1, 9, 1, True),
        PeriodMove("day", 1, 9, 1, True),
    ]
    for period in ("week", "day"):
        assert list(board.zset(board.occurrence(period, 1).board)) == ["ann", "bob"]
    assert board.totals() == {"ann": 9, "bob": 7}
    board.close()


def test_an_event_tells_what_an_action_did_in_occurrences(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    board.submit(Action("ann", "a2", 4))
    opened, first, second = board.events()

    assert (opened.kind, opened.body.u) == (EventKind.OPENED, "week")
    assert opened.body.o == Opened(1, LONG_AGO, FAR, FAR)
    assert first.moves == (TableMove("week:1", 5, first.moves[0].reached_ms, None),)
    assert second.moves == (TableMove("week:1", 9, second.moves[0].reached_ms, 5),)
    assert {event.body.v for event in (opened, first, second)} == {3}
    board.close()


def test_after_the_end_the_next_occurrence_begins_empty(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    end = ended(board, "week")
    board.named["week"] = f"2 {end} {FAR} {FAR}"
    (reply,) = board.submit(Action("bob", "b1", 3))

    assert periods_of(reply) == [PeriodMove("week", 2, 3, 1, True)]
    assert board.totals() == {"ann": 5, "bob": 3}
    assert list(board.zset(board.occurrence("week", 1).board)) == ["ann"]
    assert list(board.zset(board.occurrence("week", 2).board)) == ["bob"]
    board.close()


@pytest.mark.parametrize(
    "named",
    [
        pytest.param("1 5 6 6", id="other bounds"),
        pytest.param(f"2 {LONG_AGO} {FAR} {FAR}", id="too early"),
        pytest.param(f"1 {LONG_AGO} {FAR - 1} {FAR}", id="another end"),
        pytest.param(f"3 {FAR} {FAR} {FAR}", id="one left out"),
    ],
)
def test_who_is_mistaken_is_told_the_truth_and_nothing_is_written(
    client: Redis, named: str
) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    truth = board.knows("week")
    before = board.redis.dump(board.keys.meta), len(board.events())
    board.named["week"] = named
    refused, time, *told = board.submit(Action("ann", "a2", 5))

    assert (refused, told) == ("!PERIOD", ["week", truth])
    assert abs(int(time) - board.now_ms()) < 60_000
    assert (board.redis.dump(board.keys.meta), len(board.events())) == before
    board.close()


def test_of_two_callers_with_other_calendars_the_first_makes_the_truth(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    end = ended(board, "week")
    board.named["week"] = f"2 {end} {FAR} {FAR}"
    assert periods_of(board.submit(Action("ann", "a2", 1))[0])[0].occurrence == 2
    board.named["week"] = f"2 {end + 1} {FAR - 1} {FAR - 1}"

    assert board.submit(Action("bob", "b1", 1))[0] == "!PERIOD"
    assert board.knows("week") == f"2 {end} {FAR} {FAR} {LONG_AGO} {end} {end}"
    board.close()


def test_between_two_tournaments_an_action_counts_in_the_board_only(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    ended(board, "week")
    board.named["week"] = f"2 {FAR - 1} {FAR} {FAR}"
    (reply,) = board.submit(Action("ann", "a2", 1))

    assert periods_of(reply) == []
    assert board.totals() == {"ann": 6}
    assert board.events()[-1].moves == ()
    board.close()


def test_a_board_without_a_table_of_all_time_takes_nothing_between_tournaments(
    client: Redis,
) -> None:
    board = board_with(client, WEEK, all_time=False)
    board.named["week"] = f"1 {FAR - 1} {FAR} {FAR}"

    assert board.submit(Action("ann", "a1", 5)) == [f"K {FAR - 1}"]
    assert board.totals() == {}
    board.close()


def test_a_latecomer_counts_in_the_occurrence_that_has_ended_until_the_grace_is_over(
    client: Redis,
) -> None:
    board = board_with(client, DAY)
    board.submit(Action("ann", "a1", 5))
    end = ended(board, "day", final_in=HOUR)
    board.named["day"] = f"2 {end} {FAR} {FAR}"
    replies = board.submit(
        Action("ann", "a2", 1, late_ms=end - 1),
        Action("ann", "a3", 1, late_ms=end),
        Action("ann", "a4", 1, late_ms=LONG_AGO - 1),
        Action("ann", "a5", 1),
    )

    assert [periods_of(reply)[0].occurrence for reply in replies] == [1, 2, 2, 2]
    assert list(board.zset(board.occurrence("day", 1).board)) == ["ann"]
    board.redis.hset(board.keys.meta, "period:day", f"2 {end} {FAR} {FAR} {LONG_AGO} {end} {end}")
    (reply,) = board.submit(Action("ann", "a6", 1, late_ms=end - 1))
    assert periods_of(reply)[0].occurrence == 2, "it is final"
    board.close()


def test_a_repeated_attempt_is_answered_as_the_first_time(client: Redis) -> None:
    board = board_with(client, WEEK, DAY, operator="best", order="asc")
    action = Action("ann", "a1", 70, attempt="t")
    first = board.submit(action)
    board.submit(Action("bob", "b1", 60))
    again = board.submit(action)

    assert [one.changed for one in periods_of(first[0])] == [True, True]
    assert periods_of(again[0]) == [
        PeriodMove(one.period, one.occurrence, one.score, 2, one.changed)
        for one in periods_of(first[0])
    ]
    assert board.submit(Action("ann", "a1", 70))[0].startswith("D 70 ")
    board.close()


def test_a_worse_lap_moves_no_table(client: Redis) -> None:
    board = board_with(client, WEEK, operator="best", order="asc")
    board.submit(Action("ann", "a1", 70))
    (reply,) = board.submit(Action("ann", "a2", 80))

    assert periods_of(reply, sign=-1) == [PeriodMove("week", 1, 70, 1, False)]
    board.close()


def test_attempts_and_capacity_hold_for_each_occurrence(client: Redis) -> None:
    board = board_with(client, WEEK, attempts=2, capacity=2)
    sent = [("ann", "a1"), ("ann", "a2"), ("ann", "a3"), ("bob", "b1"), ("cat", "c1")]
    replies = board.submit(*(Action(user, action, 1) for user, action in sent))
    assert [reply[0] for reply in replies] == ["A", "A", "T", "A", "F"]
    assert board.totals() == {"ann": 2, "bob": 1}, "one table that refuses is enough"

    end = ended(board, "week")
    board.named["week"] = f"2 {end} {FAR} {FAR}"
    replies = board.submit(Action("cat", "c2", 1), Action("ann", "a4", 1), Action("bob", "b2", 1))
    assert [reply[0] for reply in replies] == ["A", "A", "F"]
    board.close()


def test_a_hidden_user_is_hidden_in_every_table(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.redis.zadd(board.keys.hidden, {"shadow": 10.25})
    board.make_live(hidden="1")
    (reply,) = board.submit(Action("shadow", "s1", 5))
    keys = board.occurrence("week", 1)

    assert periods_of(reply) == [PeriodMove("week", 1, 5, None, True)]
    assert board.zset(keys.board) == {}
    assert list(board.zset(keys.hidden)) == ["shadow"]
    assert board.redis.hget(keys.meta, "hidden") == b"1"
    board.close()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("bound", [100, 2**60])
def test_what_would_take_one_table_out_of_its_range_counts_in_none(
    client: Redis, bound: int, hidden: bool, sign: int
) -> None:
    bounds = {"min": -bound, "max": bound}
    board = board_with(client, DAY, WEEK)
    keys = board.occurrence("week", 1)
    if hidden:
        board.redis.zadd(board.keys.hidden, {"ann": 0.25})
        board.make_live(hidden="1")
    board.submit(Action("ann", "a1", 0), **bounds)
    zset = keys.hidden if hidden else keys.board
    board.redis.zadd(zset, {"ann": stamp(sign * (2**50 - 5), 1_750_000_000_000)})

    steps = [Action("ann", f"a{n}", sign * points) for n, points in enumerate((3, 3, 2, 1), 2)]
    replies = board.submit(*steps, **bounds)
    assert [reply[0] for reply in replies] == ["A", "O", "A", "O"]
    assert total_of(board.redis.zscore(zset, "ann")) == sign * 2**50
    own = board.keys.hidden if hidden else board.keys.board
    assert total_of(board.redis.zscore(own, "ann")) == sign * 5
    board.close()


def test_a_table_that_has_lost_its_zset_makes_the_board_cold(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    for lost in (board.occurrence("week", 1).board, board.occurrence("week", 1).meta):
        board.redis.delete(lost)
        assert board.submit(Action("bob", "b1", 5)) == ["!COLD"]
    board.close()


@pytest.mark.parametrize("text", ["1", "1 2 3 x", "1 0 9 9 5", f"1  0 {FAR} {FAR}"])
def test_a_period_of_which_nobody_can_read_what_is_known_makes_the_board_cold(
    client: Redis, text: str
) -> None:
    board = board_with(client, DAY)
    board.submit(Action("ann", "k1", 5))
    client.hset(board.keys.meta, "period:day", text)
    following = f"2 {FAR} {FAR + 1} {FAR + 1}"
    assert board.submit(Action("ann", "k2", 5)) == ["!COLD"]
    assert (turn(board, "day", following), seal(board, "day", 1)) == (["!COLD"], ["!COLD"])
    assert client.hget(board.keys.meta, "period:day") == text.encode()
    assert list(board.zset().values()) == list(
        board.zset(board.occurrence("day", 1).board).values()
    )


def test_all_tables_count_their_versions_together(client: Redis) -> None:
    board = board_with(client, WEEK, DAY)
    board.submit(Action("ann", "a1", 5))
    tables = [board.keys.meta, *(board.occurrence(one, 1).meta for one in ("week", "day"))]
    versions = [int(board.redis.hget(table, "version")) for table in tables]

    assert sorted(versions) == [3, 4, 5], "two were opened, three have a new top"
    assert int(board.redis.hget(board.keys.meta, "counter")) == 5
    board.close()


def test_clients_are_told_of_the_end_and_of_the_next_occurrence(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(board.occurrence("week", 2).channel)
    listener.get_message(timeout=PATIENCE)
    end = ended(board, "week")
    board.named["week"] = f"2 {end} {FAR} {FAR}"
    board.submit(Action("bob", "b1", 3))
    closed, empty, update = (
        json.loads(listener.get_message(timeout=PATIENCE)["data"]) for _ in range(3)
    )

    assert (closed["type"], closed["period"], closed["occurrence"]) == ("closed", "week", 1)
    assert closed["startsAt"] == "1970-01-01T00:00:01.000Z"
    assert (empty["occurrence"], empty["topScores"]) == (2, [])
    assert update["topScores"] == [{"userId": "bob", "score": 3}]
    assert closed["board"] == update["board"] == "arena"
    assert empty["version"] < update["version"]
    listener.close()
    board.close()


def turn(board: Board, period: str, named: str, *, follows: str = "") -> list[str]:
    number = int(named.split()[0])
    keys = board.occurrence(period, number)
    call = board.bound(
        scripts.turn_period,
        {
            "board": board.name,
            "period": period,
            "next": named,
            "backlog": 1000,
            "follows": follows,
        },
        channel=keys.channel,
        table=keys.meta,
    )
    return [part.decode() for part in board.run(call)]


def seal(board: Board, period: str, number: int) -> list[str]:
    call = board.bound(scripts.seal_period, {"period": period, "number": number})
    return [part.decode() for part in board.run(call)]


def test_a_period_turns_though_nobody_posts_and_once_only(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    assert turn(board, "week", f"2 {FAR} {FAR + 1} {FAR + 1}")[0] == "!PERIOD", "not yet"
    end = ended(board, "week")
    done, event = turn(board, "week", f"2 {end} {FAR} {FAR}")

    assert (done, event) == ("!DONE", board.events()[-1].id)
    assert turn(board, "week", f"2 {end} {FAR} {FAR}") == ["!DONE", ""]
    assert [event.kind for event in board.events()].count(EventKind.OPENED) == 2
    board.close()


def test_a_shard_follows_over_what_it_missed_and_into_what_has_ended(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    over = f"4 {LONG_AGO} {LONG_AGO + 1} {LONG_AGO + 2}"
    assert turn(board, "week", over, follows="1")[0] == "!PERIOD", "its own has not ended"
    ended(board, "week")
    assert turn(board, "week", over)[0] == "!PERIOD", "a board by itself leaves none out"
    assert turn(board, "week", over, follows="1")[0] == "!DONE"
    assert board.knows("week") == over, "none of the one before, which is over for good"
    assert turn(board, "week", f"5 {LONG_AGO} {FAR} {FAR}", follows="1")[0] == "!DONE"
    assert board.knows("week") == f"5 {LONG_AGO} {FAR} {FAR}{over.removeprefix('4')}"
    assert turn(board, "week", over, follows="1")[0] == "!PERIOD", "there is no way back"
    board.close()


def test_once_sealed_nothing_counts_in_an_occurrence_even_when_the_clock_is_set_back(
    client: Redis,
) -> None:
    board = board_with(client, DAY)
    board.submit(Action("ann", "a1", 5))
    end = ended(board, "day", final_in=HOUR)
    turn(board, "day", f"2 {end} {FAR} {FAR}")
    assert seal(board, "day", 1)[0] == "!PERIOD", "latecomers still count"
    board.redis.hset(board.keys.meta, "period:day", f"2 {end} {FAR} {FAR} {LONG_AGO} {end} {end}")
    assert seal(board, "day", 1) == ["!DONE"]
    assert seal(board, "day", 1) == ["!DONE"], "it may be repeated"

    assert KnownPeriod.from_text(board.knows("day") or "") == KnownPeriod(
        Occurrence(2, end, FAR), FAR
    )
    board.named["day"] = f"2 {end} {FAR} {FAR}"
    (reply,) = board.submit(Action("ann", "a2", 1, late_ms=end - 1))
    assert periods_of(reply)[0].occurrence == 2
    board.close()


def test_the_last_occurrence_of_a_period_that_was_given_up_is_sealed_too(client: Redis) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    ended(board, "week")

    assert seal(board, "week", 1) == ["!DONE"]
    known = KnownPeriod.from_text(board.knows("week") or "")
    assert known is not None
    assert known.latest.starts_at == known.latest.ends_at
    board.close()


def test_nothing_is_kept_or_told_of_a_sealed_occurrence_when_its_period_goes_on(
    client: Redis,
) -> None:
    board = board_with(client, WEEK)
    board.submit(Action("ann", "a1", 5))
    end = ended(board, "week")
    seal(board, "week", 1)
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(board.occurrence("week", 2).channel)
    listener.get_message(timeout=PATIENCE)
    turn(board, "week", f"2 {end} {FAR} {FAR}")

    assert KnownPeriod.from_text(board.knows("week") or "") == KnownPeriod(
        Occurrence(2, end, FAR), FAR
    )
    told = json.loads(listener.get_message(timeout=PATIENCE)["data"])
    assert (told["type"], told["occurrence"]) == ("update", 2), "its start is no longer known"
    listener.close()
    board.close()
