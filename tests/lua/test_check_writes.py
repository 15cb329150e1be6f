"""check_writes and check_rights: whatever right lacks of those that the scripts need, it is found
before a script is stopped halfway by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from scoreboard.redisio.script_source import digest, lua_files
from scoreboard.redisio.write_watch import the_checks
from scoreboard.wire.keys import BoardKeys
from scoreboard.wire.scripts import DONE
from tests.lua.harness import Board

USERS = Path(__file__).parents[2] / "deploy" / "users.acl"
RIGHTS = USERS.read_text(encoding="utf-8").splitlines()[1].split()[3:]
COMMANDS = [right for right in RIGHTS if right.startswith("+")]
WITH_SUBCOMMANDS = ("XGROUP", "XINFO")


def rights_of_the_scripts() -> set[str]:
    """Every command that a script runs, with its subcommand."""
    found = set()
    for text in lua_files().values():
        for command, second in re.findall(r"\bcall\('([A-Z]+)'(?:, '([A-Z]+)')?", text):
            found.add(f"{command}|{second}" if command in WITH_SUBCOMMANDS else command)
    return found


class Restricted:
    """Runs the check as a user with these rights."""

    def __init__(self, board: Board, url: str) -> None:
        self._admin = board.redis
        self._client = Redis.from_url(url)
        self._client.connection_pool.connection_kwargs.update(username="tried", password="x")

    def close(self) -> None:
        self._client.close()
        self._admin.acl_deluser("tried")

    def refused(self, *rights: str) -> str:
        """What is said of the right that lacks; empty when none does."""
        self._admin.execute_command("ACL SETUSER", "tried", "reset", "on", ">x", *rights)
        self._client.connection_pool.disconnect()
        for script, keys, _ in the_checks():
            try:
                reply = self._client.evalsha(digest(script).decode(), len(keys), *keys)
            except ResponseError as error:
                return str(error)
            assert reply == [DONE]
        return ""


@pytest.fixture
def restricted(board: Board, redis_url: str) -> Iterator[Restricted]:
    # From here on Redis knows the scripts.
    assert [board.run(check) for check in the_checks()] == [[DONE]] * 2
    made = Restricted(board, redis_url)
    yield made
    made.close()


def test_with_the_rights_of_the_readme_nothing_lacks_and_nothing_is_changed(
    board: Board, restricted: Restricted
) -> None:
    before = board.dump()
    assert restricted.refused(*RIGHTS) == ""
    board.redis.xadd(BoardKeys("", 0).events, {"an": "event"})
    assert restricted.refused(*RIGHTS) == "", "nor with a stream"
    board.redis.delete(BoardKeys("", 0).events)
    assert board.dump().keys() == before.keys()


def test_every_right_of_the_scripts_is_tried_and_the_one_that_lacks_is_named(
    restricted: Restricted,
) -> None:
    needed = rights_of_the_scripts()
    assert {"ZINCRBY", "LPUSH", "PUBLISH", "XGROUP|CREATE"} < needed
    said = {right: restricted.refused(*RIGHTS, f"-{right.lower()}") for right in needed}
    unnamed = {r: words for r, words in said.items() if r.partition("|")[0] not in words.upper()}
    assert unnamed == {}


def test_every_kind_of_key_and_the_channel_are_tried(restricted: Restricted) -> None:
    keys = BoardKeys("", 0)
    kinds = [keys.board, keys.hidden, keys.meta, keys.events, keys.load(""), keys.moves]
    kinds += [key.decode() for key in (keys.profile(b""), keys.device(b""), keys.rate(b""))]
    kinds += [keys.action(b"", b"").decode().removesuffix("0::"), keys.channel]
    for kind in kinds:
        others = [f"~{other}*" for other in (*kinds, "sb:{0}:probe") if other != kind]
        assert restricted.refused(*others, "&sb:*", *COMMANDS), kind
    everything = [f"~{kind}*" for kind in (*kinds, "sb:{0}:probe")]
    assert restricted.refused(*everything, "&sb:*", *COMMANDS) == ""
    assert restricted.refused(*everything, "&sb:other", *COMMANDS)
