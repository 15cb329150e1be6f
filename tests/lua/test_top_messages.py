"""What submit_scores publishes: the finished WebSocket text, only when the top 10 changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis import Redis

from scoreboard.domain.standings import TopEntry
from scoreboard.wire.messages import as_snapshot, snapshot, version_of
from tests.lua.harness import Action, Board, decoded, piece


def fill(board: Board) -> None:
    """Ten users with 100, 90, ... 10 points."""
    board.submit(*(Action(f"u{i}", "fill", 100 - 10 * i) for i in range(10)))
    board.published()


def test_a_change_of_the_top_is_published_as_a_message_that_clients_decode(board: Board) -> None:
    before = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    board.submit(Action("ann", "k1", 15), Action("bob", "k1", 20))
    (text,) = board.published()
    message = decoded(text)
    assert (message.type, message.board, message.version) == ("update", "arena", 1)
    assert message.top_scores == [TopEntry("bob", 20), TopEntry("ann", 15)]
    assert before <= datetime.fromisoformat(message.at) <= datetime.now(UTC)


def test_an_update_and_a_snapshot_have_one_form(board: Board) -> None:
    board.submit(Action("ann", "k1", 15))
    (text,) = board.published()
    made = snapshot("arena", version_of(text), board.meta()["top"].encode())
    same_but_for_the_time = slice(0, -len('2026-01-31T18:00:00.000Z"}'))
    assert as_snapshot(text)[same_but_for_the_time] == made[same_but_for_the_time]


def test_meta_keeps_the_published_top_and_its_version(board: Board) -> None:
    fill(board)
    meta = board.meta()
    assert json.loads(meta["top"]) == [
        {"userId": f"u{i}", "score": 100 - 10 * i} for i in range(10)
    ]
    assert meta["version"] == "1"
    assert float(meta["cut"]) == board.zset()["u9"]


def test_a_score_below_the_cut_publishes_nothing(board: Board) -> None:
    fill(board)
    before = board.meta()
    board.submit(Action("low", "k1", 9))
    board.submit(Action("low", "k2", 1))  # ties the 10th, who was earlier
    assert board.published() == []
    assert board.meta()["version"] == before["version"]
    assert board.meta()["top"] == before["top"]


def test_the_eleventh_who_passes_the_tenth_enters_and_moves_the_cut(board: Board) -> None:
    fill(board)
    board.submit(Action("low", "k1", 11))
    (text,) = board.published()
    assert decoded(text).top_scores[-1] == TopEntry("low", 11)
    assert float(board.meta()["cut"]) == board.zset()["low"]


def test_one_who_falls_out_of_the_top_makes_room_for_the_eleventh(board: Board) -> None:
    fill(board)
    board.submit(Action("low", "k1", 5))
    assert board.published() == []
    board.submit(Action("u0", "k1", -99))
    (text,) = board.published()
    assert [entry.user_id for entry in decoded(text).top_scores] == [
        *(f"u{i}" for i in range(1, 10)),
        "low",
    ]


def test_a_change_within_the_top_is_published_even_when_the_order_stays(board: Board) -> None:
    fill(board)
    board.submit(Action("u3", "k1", 1))
    (text,) = board.published()
    assert decoded(text).top_scores[3] == TopEntry("u3", 71)


def test_a_change_undone_in_the_same_call_publishes_nothing(board: Board) -> None:
    fill(board)
    board.submit(Action("u0", "k1", 5), Action("u0", "k2", -5))
    assert board.published() == []
    board.submit(Action("u9", "k1", 0))
    assert board.published() == []


def test_the_cut_follows_the_stamp_of_the_tenth_even_when_the_top_reads_the_same(
    board: Board,
) -> None:
    fill(board)
    board.submit(Action("u9", "k1", 5), Action("u9", "k2", -5))
    assert float(board.meta()["cut"]) == board.zset()["u9"]
    board.submit(Action("low", "k1", 9))
    board.submit(Action("low", "k2", 1))
    assert board.published() == []


def test_one_call_publishes_once(board: Board) -> None:
    board.submit(*(Action(f"u{i % 20}", f"k{i}", i) for i in range(1000)))
    assert len(board.published()) == 1


def test_duplicates_conflicts_and_actions_out_of_bounds_publish_nothing(board: Board) -> None:
    action = Action("ann", "k1", 15)
    board.submit(action)
    board.published()
    board.submit(action, Action("ann", "k1", 15), Action("ann", "k1", 3), Action("ann", "k2", 99))
    assert len(board.published()) == 1
    board.submit(Action("ann", "k1", 3), Action("ann", "k3", 999), max=100)
    assert board.published() == []


def test_versions_grow_by_one_with_every_change_from_wherever_the_board_stood(
    board: Board,
) -> None:
    start = 2**40
    board.make_live(version=str(start))
    for i in range(5):
        board.submit(Action("ann", f"k{i}", 1))
    assert [version_of(text) for text in board.published()] == [start + i for i in range(1, 6)]
    assert board.meta()["version"] == str(start + 5)


def test_events_carry_the_version_before_their_call(board: Board) -> None:
    board.submit(Action("ann", "k1", 1), Action("ann", "k2", 1))
    board.submit(Action("ann", "k3", 1))
    assert [event.version for event in board.events()] == [0, 0, 1]


def test_a_hidden_user_goes_on_counting_and_is_never_shown(board: Board) -> None:
    board.submit(Action("bob", "k1", 5))
    board.redis.zadd(board.keys.hidden, {"ann": 100.25})
    board.make_live(hidden="1", version=board.meta()["version"])
    board.published()
    (reply,) = board.submit(Action("ann", "k1", 15))
    event = board.events()[-1]
    assert reply == f"A 115 - {event.id}"
    assert event.score == 115
    assert board.zset(board.keys.hidden)["ann"] // 1 == 115
    assert board.totals() == {"bob": 5}
    assert board.published() == []
    assert board.submit(Action("ann", "k1", 15)) == [f"D 115 {event.id}"]
    assert board.submit(Action("ann", "k2", 0))[0].startswith("A 115 - ")


@pytest.mark.parametrize(
    "name", ['quo"te', "back\\slash", "</script>", "日本語-😀", "{1}:[2]", "%d%s", "a\u2028b"]
)
def test_any_name_comes_through_the_message_unharmed(board: Board, name: str) -> None:
    board.submit(Action(name, "k1", 7))
    (text,) = board.published()
    assert decoded(text).top_scores == [TopEntry(name, 7)]
    assert json.loads(board.meta()["top"]) == [{"userId": name, "score": 7}]


def test_times_are_written_as_rfc_3339_over_all_dates(redis_url: str) -> None:
    script = f"""{piece("lib_stamps")}
        {piece("lib_top")}
        return rfc3339(tonumber(ARGV[1]))"""

    def ms(date: str) -> int:
        return round(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1000)

    with Redis.from_url(redis_url) as redis:

        @settings(max_examples=400, derandomize=True, deadline=None)
        @given(st.integers(0, ms("2400-12-31")))
        @example(ms("2024-02-29T23:59:59") + 999)
        @example(ms("2025-02-28T23:59:59") + 999)
        @example(ms("2025-03-01"))
        @example(ms("2028-02-29"))
        @example(ms("2096-02-29"))
        @example(ms("2100-02-28"))
        @example(ms("2100-03-01"))
        @example(ms("2000-02-29"))
        @example(ms("2024-12-31T23:59:59") + 999)
        @example(ms("2400-02-29"))
        @example(0)
        def agrees(at: int) -> None:
            date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
            expected = date.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            assert redis.eval(script, 0, at).decode() == expected

        agrees()
