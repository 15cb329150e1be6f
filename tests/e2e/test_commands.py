"""The commands as they are typed: what they say, and how they fail."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from scoreboard import __version__
from scoreboard.commands.program import COMMANDS
from scoreboard.domain.periods import Period
from scoreboard.local.embedded_servers import free_port
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from tests.support.command import Ended, environment, scoreboard
from tests.support.servers import redis_client
from tests.support.signing import JWT_KEYS, TEST_KEY
from tests.support.whole_service import Service, service


def assert_one_line(ended: Ended, *words: str) -> None:
    """Failed with a line for a person and no traceback."""
    assert ended.code == 1, ended
    assert ended.err.startswith("scoreboard: "), ended
    assert ended.err.count("\n") == 1, ended
    for word in words:
        assert word in ended.err


async def test_help_names_every_command_with_a_sentence() -> None:
    ended = await scoreboard("--help")

    assert ended.code == 0
    lines = [line.split(maxsplit=1) for line in ended.out.splitlines() if line.startswith("  ")]
    described = {line[0]: line[1] for line in lines if len(line) == 2}
    assert described.keys() >= {*COMMANDS}
    assert all(len(described[command]) > 20 for command in COMMANDS)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("up", ["--host", "--port", "--data-dir", "--workers"]),
        ("serve", ["--host", "--port"]),
        ("token", ["--sub", "--scope", "--ttl", "--boards"]),
        ("replay", ["--board", "--url", "--token", "--batch", "--speed", "--max"]),
        ("top", ["--board", "--url", "--token"]),
    ],
)
async def test_each_command_explains_its_options(command: str, options: list[str]) -> None:
    ended = await scoreboard(command, "--help")

    assert ended.code == 0
    for option in options:
        assert option in ended.out


async def test_version_is_the_packages() -> None:
    assert (await scoreboard("--version")).out.strip() == __version__


async def test_a_mistyped_command_or_option_is_a_usage_error() -> None:
    for arguments in (["serv"], ["top", "--bored", "x"], ["token"], ["replay"]):
        ended = await scoreboard(*arguments)
        assert ended.code == 2
        assert "Usage: " in ended.err


async def test_a_token_is_all_that_token_prints() -> None:
    ended = await scoreboard(
        *("token", "--sub", "ann", "--scope", "score:submit", "--ttl", "60", "--boards", "arena"),
        SCOREBOARD_JWT_KEYS=JWT_KEYS,
    )

    claims = jwt.decode(ended.out.strip(), TEST_KEY, algorithms=["HS256"])
    assert (claims["sub"], claims["scope"], claims["boards"]) == ("ann", "score:submit", ["arena"])
    assert ended.err == ""


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ["SCOREBOARD_JWT_KEYS is empty"]),
        ({"SCOREBOARD_JWT_KEYS": '{"a": "short"}'}, ["32 bytes"]),
        ({"SCOREBOARD_JWT_KEYS": "nonsense"}, ["line 1 is not kid=secret"]),
        ({"SCOREBOARD_JWT_KEYS_FILE": "/nowhere"}, ["SCOREBOARD_JWT_KEYS_FILE", "/nowhere"]),
        ({"SCOREBOARD_JWT_KEYS_FILE": "/dev/zero"}, ["SCOREBOARD_JWT_KEYS_FILE", "more than"]),
        ({"SCOREBOARD_DEDUPE_WINDOW": "inf"}, ["SCOREBOARD_DEDUPE_WINDOW", "<="]),
        ({"SCOREBOARD_BOARD_IDLE": "1e308"}, ["SCOREBOARD_BOARD_IDLE", "<="]),
        ({"SCOREBOARD_PRT": "1"}, ["SCOREBOARD_PRT is not a setting"]),
        ({"SCOREBOARD_PORT": "http"}, ["SCOREBOARD_PORT", "int"]),
        ({"SCOREBOARD_DURABILITY": "paper"}, ["SCOREBOARD_DURABILITY", "paper"]),
    ],
)
async def test_a_wrong_setting_is_named(environment: dict[str, str], words: list[str]) -> None:
    ended = await scoreboard("token", "--sub", "ann", "--scope", "admin", **environment)

    assert_one_line(ended, *words)
    assert "short" not in ended.err, "never a key"


async def test_where_nothing_names_a_server_and_no_up_runs_a_command_says_so(
    tmp_path: Path,
) -> None:
    ended = await scoreboard("dead", "drop", folder=tmp_path)
    assert "no `scoreboard up` runs with its data in .scoreboard" in ended.err

    named = await scoreboard(
        "dead", "drop", folder=tmp_path, SCOREBOARD_DATABASE_URL="postgresql://127.0.0.1:1/none"
    )
    assert_one_line(named, "say which dead letters")


async def test_what_names_a_service_for_other_commands_is_in_nobodys_way() -> None:
    ended = await scoreboard(
        *("token", "--sub", "ann", "--scope", "admin"),
        SCOREBOARD_JWT_KEYS=JWT_KEYS,
        SCOREBOARD_URL="http://127.0.0.1:8080",
        SCOREBOARD_TOKEN="x",
    )

    assert ended.code == 0, ended


async def test_servers_that_are_away_are_named() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    ended = await scoreboard(
        "migrate", SCOREBOARD_DATABASE_URL=f"postgresql://scoreboard@{nowhere}/scoreboard"
    )

    assert_one_line(ended, "Postgres")


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[Service]:
    async with service(settings) as started:
        yield started


Replay = Callable[..., Awaitable[Ended]]

HEAD = "ts,user_id,action_id,points"
ROWS = "1477438650000,ann,a1,2\n1477438651000,bob,b1,3\n1477438652000,ann,a2,1\n"


@pytest.fixture
def replay(running: Service, tmp_path: Path) -> Replay:
    """Replays a file of this content on the board ``arena``."""

    async def replay(
        content: str | bytes, *options: str, name: str = "actions.csv", **environment: str
    ) -> Ended:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        named = {"SCOREBOARD_URL": running.url, "SCOREBOARD_TOKEN": running.token()}
        return await scoreboard(
            *("replay", str(file), "--board", "arena", *options), **(named | environment)
        )

    return replay


def counts(ended: Ended) -> dict[str, int]:
    """What the replay counted, by outcome."""
    return {name: int(n) for n, name in map(str.split, ended.out.splitlines())}


async def test_a_second_replay_reports_duplicates_and_changes_nothing(
    replay: Replay, running: Service
) -> None:
    first = await replay(f"{HEAD}\n{ROWS}", "--batch", "2")
    second = await replay(gzip.compress(f"{HEAD}\n{ROWS}".encode()), name="actions.csv.gz")
    top = await scoreboard("top", "--board", "arena", SCOREBOARD_URL=running.url)

    assert (first.code, counts(first)) == (0, {"accepted": 3})
    assert (second.code, counts(second)) == (0, {"duplicate_action": 3})
    assert top.code == 0
    rows = [line.split()[1:-1:2] for line in top.out.splitlines() if line.startswith("│")]
    assert rows == [["1", "bob", "3"], ["2", "ann", "3"]]


async def test_the_top_of_a_period_is_shown_with_its_occurrence(running: Service) -> None:
    await running.make_board(
        "arena", periods=(Period("years", every="P3000D", start=datetime(2020, 1, 1, tzinfo=UTC)),)
    )
    words = ("top", "--board", "arena", "--period")
    shown = await scoreboard(*words, "years", SCOREBOARD_URL=running.url)
    unknown = await scoreboard(*words, "week", SCOREBOARD_URL=running.url)
    earlier = await scoreboard(
        *words, "years", "--occurrence", "previous", SCOREBOARD_URL=running.url
    )

    assert shown.code == 0, shown
    assert "years 1, open" in shown.out
    assert_one_line(unknown, "unknown_period")
    assert_one_line(earlier, "unknown_occurrence")


async def test_a_replay_passes_the_context_on(replay: Replay, settings: Settings) -> None:
    ended = await replay(f"{HEAD},latitude,country\n1477438650000,ann,a1,2,48.85,FR\n")
    assert ended.code == 0

    async with redis_client(settings.redis_url) as redis:
        events: Any = await redis.xrange(Keyspace(settings.partitions).board("arena").events)
    [(_, fields)] = events
    context = json.loads(fields[b"d"])["c"]
    assert context == {
        "occurredAt": "2016-10-25T23:37:30.000+00:00",
        "latitude": 48.85,
        "country": "FR",
    }


async def test_a_replay_with_anything_but_duplicates_says_so_and_fails(replay: Replay) -> None:
    await replay(f"{HEAD}\n{ROWS}")
    ended = await replay(f"{HEAD}\n1477438650000,ann,a1,3\n1477438651000,,b2,3\n")

    assert (ended.code, counts(ended)) == (1, {"action_conflict": 1, "invalid_request": 1})


async def test_a_malformed_file_is_told_before_anything_is_posted(
    replay: Replay, running: Service
) -> None:
    ended = await replay(f"{HEAD}\n{ROWS}1477438650000,ann,a9,many\n", "--batch", "1")
    top = await scoreboard("top", "--board", "arena", SCOREBOARD_URL=running.url)

    assert_one_line(ended, "actions.csv, line 5", "many")
    assert_one_line(top, "unknown_board")


async def test_a_replay_needs_a_token_that_may_write(replay: Replay, running: Service) -> None:
    content = f"{HEAD}\n{ROWS}"
    reader = await replay(content, SCOREBOARD_TOKEN=running.token("board:read"))
    stranger = await replay(content, SCOREBOARD_TOKEN="nonsense")

    assert_one_line(reader, "forbidden")
    assert_one_line(stranger, "unauthorized")


async def test_a_replay_to_nowhere_gives_up_at_once(replay: Replay) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"

    assert_one_line(await replay(f"{HEAD}\n{ROWS}", SCOREBOARD_URL=nowhere), nowhere)


async def test_a_replay_is_used_as_its_help_says(replay: Replay, tmp_path: Path) -> None:
    both = await replay(f"{HEAD}\n{ROWS}", "--speed", "2", "--max")
    missing = await scoreboard("replay", str(tmp_path / "none.csv"), "--board", "arena")

    assert (both.code, missing.code) == (2, 2)
    assert "--speed and --max" in both.err
    assert "none.csv" in missing.err


async def test_a_board_that_does_not_exist_has_no_top(running: Service) -> None:
    ended = await scoreboard("top", "--board", "arena", "--url", running.url)

    assert_one_line(ended, "unknown_board")


async def test_the_top_is_shown_as_the_boards_rules_want_it(
    replay: Replay, running: Service
) -> None:
    await running.make_board(
        "arena",
        order="asc",
        decimals=3,
        rank_style="standard",
        top_size=3,
        title="Monza",
        unit="s",
    )
    rows = "1000,ann,k1,1204\n1000,bob,k1,999\n1000,cy,k1,999\n1000,dan,k1,1999\n"
    await replay(f"{HEAD}\n{rows}")
    ended = await scoreboard("top", "--board", "arena", SCOREBOARD_URL=running.url)

    assert "Monza" in ended.out
    assert "Score, s" in ended.out
    shown = [line.split()[1:-1:2] for line in ended.out.splitlines() if line.startswith("│")]
    assert shown == [["1", "bob", "0.999"], ["1", "cy", "0.999"], ["3", "ann", "1.204"]]


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ({"PYTHONUTF8": "1"}, ["[/red]", "[bold]x", "zoë"]),
        # As under LANG=C where Python does not turn to UTF-8 by itself.
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            ["[/red]", "[bold]x", r"zo\xeb"],
        ),
    ],
    ids=["utf-8", "ascii"],
)
async def test_names_are_no_markup_and_may_have_letters_that_the_locale_lacks(
    replay: Replay, running: Service, locale: dict[str, str], shown: list[str]
) -> None:
    await replay(f"{HEAD}\n1000,[/red],k1,3\n1000,[bold]x,k1,2\n1000,zoë,k1,1\n")
    ended = await scoreboard("top", "--board", "arena", SCOREBOARD_URL=running.url, **locale)

    assert (ended.code, ended.err) == (0, "")
    rows = [words for line in ended.out.splitlines() if len(words := line.split()[1:-1:2]) == 3]
    assert [user for rank, user, _ in rows if rank.isdigit()] == shown


async def test_without_a_service_it_is_said_how_to_name_one(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"

    assert_one_line(await scoreboard("top", folder=tmp_path), "--url", "scoreboard up")
    assert_one_line(await scoreboard("top", "--url", nowhere), nowhere)


async def test_what_up_left_behind_names_the_service(running: Service, tmp_path: Path) -> None:
    run = {"url": running.url, "token": running.token("score:write board:read")}
    (tmp_path / ".scoreboard").mkdir()
    (tmp_path / ".scoreboard" / "run.json").write_text(json.dumps(run))
    (tmp_path / "actions.csv").write_text(f"{HEAD}\n{ROWS}")
    ended = await scoreboard("replay", "actions.csv", "--board", "arena", folder=tmp_path)

    assert (ended.code, counts(ended)) == (0, {"accepted": 3})


async def test_what_up_left_behind_names_the_servers_unless_the_environment_does(
    running: Service, settings: Settings, tmp_path: Path
) -> None:
    run = {"redis_url": settings.redis_url, "database_url": settings.database_url}
    (tmp_path / ".scoreboard").mkdir()
    (tmp_path / ".scoreboard" / "run.json").write_text(json.dumps(run))
    await running.make_board("arena")
    partitions = str(settings.partitions)
    found = await scoreboard(
        "verify", "--board=arena", folder=tmp_path, SCOREBOARD_PARTITIONS=partitions
    )
    nowhere = f"postgresql://scoreboard@127.0.0.1:{free_port()}/scoreboard"
    named = await scoreboard("verify", folder=tmp_path, SCOREBOARD_DATABASE_URL=nowhere)

    assert (found.code, found.out.count("0 differences")) == (0, 1), found
    assert_one_line(named, "Postgres can't be reached")


async def test_an_argument_that_is_no_text_is_named_by_one_line() -> None:
    for option in ("--title", "--description", "--unit"):
        ended = await scoreboard("boards", "set", "arena", option, os.fsdecode(b"a\xff"))
        assert_one_line(ended, "no UTF-8 text")


async def test_a_pipe_that_a_library_would_wait_for_while_it_is_loaded_is_one_line(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    ended = await scoreboard("verify", SSL_CERT_FILE=str(tmp_path / "pipe"))

    assert_one_line(ended, "SSL_CERT_FILE")


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs /dev/full to write to")
@pytest.mark.parametrize("arguments", [("calendar", "--cron", "0 0 * * *"), ("--version",)])
def test_output_that_cant_be_written_is_one_line(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "scoreboard", *arguments],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == b"scoreboard: [Errno 28] No space left on device\n"


CLOSES_A_SOCKET = """
import asyncio, os, sys, uvloop
from scoreboard.commands.terminal import open_closed_streams
open_closed_streams()
async def connect():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    server.close()
uvloop.run(connect())
print("inherited by", [os.get_inheritable(stream) for stream in range(3)], file=sys.stderr)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_role_works_whichever_standard_streams_were_closed_at_its_start(closed: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", CLOSES_A_SOCKET],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended
    said = "" if "2>" in closed else "inherited by [True, True, True]\n"
    assert (ended.stdout, ended.stderr) == ("", said)


@pytest.mark.parametrize("arguments", ["calendar --cron '0 0 * * *'", "--version"])
def test_output_that_was_closed_is_an_error_in_one_line(arguments: str) -> None:
    ended = subprocess.run(
        f"exec '{sys.executable}' -m scoreboard {arguments} >&-",
        shell=True,
        env=environment(),
        stderr=subprocess.PIPE,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == b"scoreboard: [Errno 9] Bad file descriptor\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "activate", "9" * 20),
        ("train", "--seed", "-1"),
        ("train", "--seed", "9" * 20),
        ("train", "--save", "nowhere/model"),
        ("train", "--save", "."),
        ("evaluate", "--json", "nowhere/figures.json"),
        ("evaluate", "--plot", "nowhere/figures.png"),
    ],
)
async def test_what_can_only_fail_at_the_end_is_refused_at_the_start(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    ended = await scoreboard(*arguments, folder=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "Invalid value" in ended.err
