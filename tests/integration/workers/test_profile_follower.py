"""Boards follow profiles: a new version where somebody is shown otherwise, and no place for who
wants to be hidden, whatever a moderator decides and whatever crashes."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.moderation import profile_follower
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.profiles import Profile, Visibility
from scoreboard.errors import Unavailable
from scoreboard.pg.profile_changes import ProfileChanges
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.redisio.followed_boards import FollowedBoards
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.workers import profile_follower as profile_follower_module
from scoreboard.workers.profile_follower import ProfileFollower
from tests.support.moderated_arena import Moderated
from tests.support.waiting import wait_until

WEEK = Period("week", cron="0 0 * * 1")


@pytest.fixture
def follower(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, court: Moderated
) -> ProfileFollower:
    return profile_follower(
        topology_at(settings.redis_url), settings, redis, pool, court.arena.durable
    )


@pytest.fixture
async def profiles(court: Moderated, pool: asyncpg.Pool) -> StoredProfiles:
    """The profiles, and a board on which ann has 5 and bob has 7."""
    await court.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    await court.arena.persist()
    return StoredProfiles(pool)


async def choose(profiles: StoredProfiles, visibility: Visibility, user: str = "ann") -> None:
    await profiles.put(user, Profile(display_name="Ann", visibility=visibility))


async def left(court: Moderated) -> int:
    return int(await court.database.fetchval("SELECT count(*) FROM profile_change"))


async def shown(court: Moderated) -> set[str]:
    """Who is on the board's lists, in Redis as in Postgres."""
    await court.arena.durable.rebuilder.ensure("arena", create=False)
    rows = await court.database.fetch(
        "SELECT user_id FROM user_score WHERE board = 'arena' AND NOT hidden"
    )
    found = set(await court.arena.totals())
    assert found == {row["user_id"] for row in rows}
    return found


async def version(court: Moderated) -> int:
    return int((await court.arena.meta())["version"])


async def test_a_new_name_is_a_new_version_once(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    before = await version(court)
    await choose(profiles, "public")
    await follower.follow()
    assert await version(court) == before + 1
    await follower.follow()
    await choose(profiles, "public")  # the same again
    await profiles.put("ann", Profile(display_name="Ann", metadata=msgspec.Raw(b'{"level":7}')))
    await follower.follow()
    assert await version(court) == before + 1
    assert await left(court) == 0
    await choose(profiles, "anonymous")
    await follower.follow()
    assert await version(court) == before + 2


async def test_boards_that_do_not_show_the_user_stay_as_they_are(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    await court.arena.submit(*((f"u{i}", "k1", 100) for i in range(10)))
    before = await version(court)
    await choose(profiles, "public")
    await choose(profiles, "public", user="nobody")
    await follower.follow()
    assert await version(court) == before
    assert await left(court) == 0


async def test_who_is_persisted_a_moment_after_the_profile_is_followed_too(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    await court.arena.submit(("cy", "c1", 9))
    before = await version(court)
    await profiles.put("cy", Profile(display_name="Cy"))
    await follower.follow()
    assert await version(court) == before
    await court.arena.persist()
    await follower.follow()
    assert await version(court) == before + 1


async def test_who_comes_onto_a_board_while_the_profile_changes_is_followed_too(
    court: Moderated,
    profiles: StoredProfiles,
    follower: ProfileFollower,
    database_url: str,
) -> None:
    """Neither of the two transactions sees the other, and it may take its time."""
    await court.arena.submit(("cy", "c1", 9))
    await court.arena.persist()
    await court.database.execute("DELETE FROM user_score WHERE user_id = 'cy'")
    await court.database.execute("DELETE FROM profile_change")
    persister = await asyncpg.connect(database_url)
    async with persister.transaction():
        await persister.execute(
            "INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, "
            "last_event_seq) VALUES ('arena', 'cy', 9, now(), 1, 0)"
        )
        await choose(profiles, "hidden", user="cy")
        for _ in range(3):
            await follower.follow()
        assert await left(court) == 0
    await persister.close()

    async def is_hidden() -> bool:
        await follower.follow()  # which may wait for others, such as Postgres's own vacuum
        return await shown(court) == {"ann", "bob"}

    await wait_until(is_hidden, description="cy has left the list")
    assert await court.database.fetchval("SELECT count(*) FROM profile_recheck") == 0


async def test_who_chooses_to_be_hidden_counts_on_and_takes_nobodys_place(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    await choose(profiles, "hidden", user="bob")
    await follower.follow()
    assert await shown(court) == {"ann"}
    await court.arena.submit(("bob", "b2", 3))
    await court.agree({"ann": 5, "bob": 10})
    assert await shown(court) == {"ann"}
    await choose(profiles, "public", user="bob")
    await follower.follow()
    assert await court.arena.totals() == {"ann": 5, "bob": 10}
    assert await shown(court) == {"ann", "bob"}


async def test_who_is_hidden_is_so_on_a_board_that_comes_later(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    await choose(profiles, "hidden", user="cy")
    await follower.follow()
    await court.arena.submit(("cy", "c1", 9))
    await court.arena.persist()
    await follower.follow()
    assert await shown(court) == {"ann", "bob"}
    assert await left(court) == 0


@pytest.mark.parametrize("first", ["moderator", "user"])
@pytest.mark.parametrize("second", ["moderator", "user"])
async def test_a_user_is_hidden_while_the_moderator_or_the_user_wants_it(
    court: Moderated,
    profiles: StoredProfiles,
    follower: ProfileFollower,
    first: str,
    second: str,
) -> None:
    async def change(by: str, *, hidden: bool) -> None:
        if by == "moderator":
            await court.moderator.set_hidden("arena", "ann", hidden=hidden, by="eve", reason="")
        else:
            await choose(profiles, "hidden" if hidden else "public")
            await follower.follow()

    other = {"moderator": "user", "user": "moderator"}
    await change(first, hidden=True)
    assert await shown(court) == {"bob"}
    await change(other[first], hidden=True)
    assert await shown(court) == {"bob"}
    await change(second, hidden=False)
    assert await shown(court) == {"bob"}
    await change(second, hidden=False)  # again, it changes nothing
    assert await shown(court) == {"bob"}
    await court.arena.lose_epoch()
    assert await shown(court) == {"bob"}
    await change(other[second], hidden=False)
    assert await shown(court) == {"ann", "bob"}


async def test_the_statement_of_an_older_version_hides_for_the_moderators_reason(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    statement = "UPDATE user_score SET hidden = $1 WHERE board = 'arena' AND user_id = 'ann'"
    hidden = "SELECT hidden FROM user_score WHERE board = 'arena' AND user_id = 'ann'"
    await court.database.execute(statement, True)
    await choose(profiles, "hidden")
    await follower.follow()
    await choose(profiles, "public")
    await follower.follow()
    assert await court.database.fetchval(hidden) is True
    await court.database.execute(statement, False)
    assert await court.database.fetchval(hidden) is False


async def test_occurrences_follow_open_ones_and_final_ones(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    await court.moderator.configure("arena", lambda _: BoardSettings(periods=(WEEK,)), by="eve")
    await court.arena.submit(("ann", "a2", 5), ("bob", "b2", 7))
    await court.arena.persist()
    await court.database.execute(
        "INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at,"
        " state, users, shared) VALUES ('arena', 'week', 0, 0, 1, 1, 'final', 2, false);"
        "INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq,"
        " rank) SELECT 'arena:week:0', user_id, score, now(), 0, 0, rank FROM"
        " (VALUES ('ann', 5, 2), ('bob', 7, 1)) AS final (user_id, score, rank)"
    )
    await choose(profiles, "hidden", user="bob")
    await follower.follow()
    keys = Keyspace(8).board("arena:week:1")
    assert set(await court.arena.zset(keys.board)) == {"ann"}
    assert set(await court.arena.zset(keys.hidden)) == {"bob"}
    final = await court.database.fetch(
        "SELECT user_id, rank FROM user_score WHERE board = 'arena:week:0' ORDER BY user_id"
    )
    assert [tuple(row) for row in final] == [("ann", 1), ("bob", None)]
    await choose(profiles, "public", user="bob")
    await follower.follow()
    assert set(await court.arena.zset(keys.board)) == {"ann", "bob"}


@pytest.mark.parametrize("visibility", ["hidden", "public"])
@pytest.mark.parametrize("where", ["choose", "follow", "done"])
async def test_what_a_crash_leaves_undone_is_done_by_the_next_round(
    court: Moderated,
    profiles: StoredProfiles,
    follower: ProfileFollower,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    visibility: Visibility,
) -> None:
    if visibility == "public":
        await choose(profiles, "hidden")
        await follower.follow()
    await choose(profiles, visibility)

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("The process is no more.")

    with monkeypatch.context() as patched:
        patched.setattr(FollowedBoards if where == "follow" else ProfileChanges, where, away)
        with pytest.raises(Unavailable):
            await follower.follow()
    assert await left(court) == 1
    await follower.follow()
    assert await shown(court) == ({"bob"} if visibility == "hidden" else {"ann", "bob"})
    assert await left(court) == 0


async def test_a_choice_that_is_changed_while_it_is_followed_is_followed_again(
    court: Moderated,
    profiles: StoredProfiles,
    follower: ProfileFollower,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = ProfileChanges.done

    async def changed_meanwhile(self: ProfileChanges, change: object) -> None:
        monkeypatch.setattr(ProfileChanges, "done", done)
        await choose(profiles, "public")
        await done(self, change)  # type: ignore[arg-type]

    monkeypatch.setattr(ProfileChanges, "done", changed_meanwhile)
    await choose(profiles, "hidden")
    await follower.follow()
    assert await left(court) == 1
    await follower.follow()
    assert await shown(court) == {"ann", "bob"}


async def test_a_board_that_is_cold_or_gone_holds_nobody_up(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower
) -> None:
    await court.arena.lose_epoch()
    await choose(profiles, "hidden")
    await follower.follow()
    assert await left(court) == 0
    assert await shown(court) == {"bob"}
    await choose(profiles, "public")
    await court.database.execute("DELETE FROM user_score")
    await follower.follow()
    assert await left(court) == 0


async def test_a_board_whose_server_is_away_keeps_no_other_waiting(
    court: Moderated,
    profiles: StoredProfiles,
    follower: ProfileFollower,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    follow = FollowedBoards.follow

    async def away(self: FollowedBoards, board: str, **changes: Any) -> None:
        if board == "arena":
            raise Unavailable("Redis can't be reached.")
        await follow(self, board, **changes)

    monkeypatch.setattr(FollowedBoards, "follow", away)
    monkeypatch.setattr(profile_follower_module, "MOST", 1)
    for board in ("aloft", "zenith"):
        await court.database.execute("INSERT INTO board (board, partition) VALUES ($1, 0)", board)
        await court.database.execute(
            "INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms,"
            " last_event_seq) VALUES ($1, 'ann', 5, now(), 1, 0)",
            board,
        )
    await choose(profiles, "hidden")
    with pytest.raises(Unavailable):
        await follower.follow()
    waiting = await court.database.fetch("SELECT board FROM profile_change")
    assert [row["board"] for row in waiting] == ["arena"]
    hidden = "SELECT board FROM user_score WHERE user_id = 'ann' AND hidden ORDER BY board"
    assert [row["board"] for row in await court.database.fetch(hidden)] == [
        *("aloft", "arena", "zenith")
    ]
    monkeypatch.undo()
    await follower.follow()
    assert await left(court) == 0
    assert await shown(court) == {"bob"}


async def test_of_two_processes_one_follows_at_a_time(
    court: Moderated, profiles: StoredProfiles, follower: ProfileFollower, pool: asyncpg.Pool
) -> None:
    await choose(profiles, "hidden")
    async with ProfileChanges(pool).turn() as other:
        assert other
        await follower.follow()
        assert await left(court) == 1
    await follower.follow()
    assert await left(court) == 0


async def test_profiles_that_are_added_leave_what_is_there_and_note_who_is_on_a_board(
    court: Moderated, profiles: StoredProfiles
) -> None:
    await choose(profiles, "anonymous")
    await court.database.execute("DELETE FROM profile_change")

    given = {user: Profile(display_name=f"{user} of old") for user in ("ann", "bob", "new")}
    known = await profiles.add(given)

    assert [(one.user_id, one.player and one.player.display_name) for one in known] == [
        ("bob", "bob of old"),
    ]
    whole = await profiles.whole(["ann", "bob", "new"])
    assert {user: (one.display_name, one.visibility) for user, one in whole.items()} == {
        "ann": ("Ann", "anonymous"),
        "bob": ("bob of old", "public"),
        "new": ("new of old", "public"),
    }
    noted = await court.database.fetch("SELECT board, user_id FROM profile_change")
    assert [tuple(row) for row in noted] == [("arena", "bob")]
    await court.arena.submit(("new", "n1", 1))
    await court.arena.persist()
    assert await left(court) == 1, "a board that comes later has the name from the beginning"
