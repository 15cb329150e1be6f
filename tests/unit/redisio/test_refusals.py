"""Which error replies mean "not here, not now"."""

from __future__ import annotations

import time

import pytest
from redis.exceptions import NoScriptError, ResponseError

from scoreboard.redisio.refusals import Refused, Server, error_of

# As Redis 7 and Valkey 8 and 9 word them.
REPLIES = [
    "READONLY You can't write against a read only replica.",
    "READONLY A replica does not answer for its boards script: 5a, on @user_script:10.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "LOADING Redis is loading the dataset in memory",
    "LOADING Valkey is loading the dataset in memory",
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOPERM User scoreboard has no permissions to run the 'evalsha' command",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "CLUSTERDOWN Hash slot not served",
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 127.0.0.1:6381",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "DENIED Redis is running in protected mode because protected mode is enabled",
    "CLOCK This server believes that it is second 4102444800 since 1970",
    "EVICTS maxmemory-policy is allkeys-lru",
]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.partition(" ")[0])
def test_a_state_of_the_server_is_told_from_its_first_word(reply: str) -> None:
    error = error_of(reply)
    assert isinstance(error, Refused)
    assert error.word == reply.partition(" ")[0]
    assert str(error) == reply, "for the log"
    told = error.unavailable()
    assert (told.status, told.retry_after) == (503, 1.0)
    assert reply.partition(" ")[2] not in told.detail, "Redis's own words are not for the public"


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        ("ERR max number of clients reached", "MAXCLIENTS"),
        ("ERR DB index is out of range", "NODB"),
        ("ERR ACL failure in script: No permissions to access a channel", "NOPERM"),
    ],
)
def test_what_has_no_word_of_its_own_is_a_state_as_well(reply: str, word: str) -> None:
    error = error_of(reply)
    assert isinstance(error, Refused)
    assert error.word == word


@pytest.mark.parametrize(
    "reply",
    [
        "ERR unknown command 'FOO'",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOGROUP No such key 'sb:{0}:events' or consumer group 'persist'",
        "BUSYGROUP Consumer Group name already exists",
        "CROSSSLOT Keys in request don't hash to the same slot",
        "ERR OOM is not at the beginning",
    ],
)
def test_an_error_of_a_command_is_none(reply: str) -> None:
    assert type(error_of(reply)) is ResponseError


def test_a_script_that_redis_does_not_know_is_neither() -> None:
    assert type(error_of("NOSCRIPT No matching script.")) is NoScriptError


@pytest.mark.parametrize(
    ("reply", "may"),
    [
        ("NOPERM User x has no permissions to run the 'evalsha' command", False),
        ("NOPERM ACL failure in script: User x has no permissions to run the 'xadd' command", True),
        ("ERR ACL failure in script: No permissions to access a channel", True),
        ("ERR The user executing the script can't run this command or subcommand", True),
        ("READONLY A replica does not answer for its boards script: 5a, on @user_script:1.", False),
    ],
)
def test_only_a_right_that_lacks_within_a_script_leaves_open_what_was_done(
    reply: str, may: bool
) -> None:
    error = error_of(reply)
    assert isinstance(error, Refused)
    assert error.may_have_run is may


def test_connections_are_renewed_at_most_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    server, renewed = Server(), []
    server.listeners.add(lambda: renewed.append(server.renewed))
    for moment in (100.0, 100.5, 100.99, 101.0, 101.5, 102.5):
        monkeypatch.setattr(time, "monotonic", lambda now=moment: now)
        server.refused(Refused("OOM", "OOM"))
    assert renewed == [100.0, 100.0, 100.0, 101.0, 101.0, 102.5]
