"""``scoreboard import``: standings from a file, a sorted set of Redis, or Nakama."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, NamedTuple

import msgspec
import typer

from scoreboard.assembly.importing import gate_is_on, submitter
from scoreboard.assembly.moderation import profile_keeper
from scoreboard.assembly.operator import TIMEOUT, load_settings, operator
from scoreboard.commands.options import ACTOR, DataDirOption
from scoreboard.commands.progress import pace_bar
from scoreboard.commands.terminal import console, printable, say
from scoreboard.domain.boards import Order
from scoreboard.domain.imports import Plan, Refused, Source, SourceName, SourceRow
from scoreboard.errors import ConfigurationError, Unavailable, UnknownBoard
from scoreboard.formats.standings_files import StandingsFile, open_standings
from scoreboard.formats.writers import Format
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.erasures import Erasures
from scoreboard.pg.imports import ImportRecord
from scoreboard.pg.nakama import nakama_source
from scoreboard.redisio.foreign_boards import zset_source
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.workers.profile_keeper import ProfileKeeper
from scoreboard.write_path.importer import BEFORE, NEW, Importer

CHUNK = 1_000  # rows of a file
SHOWN = 20  # rows that are left out, on the terminal


class Given(NamedTuple):
    """Where standings come from, as the options say."""

    file: Path | None = None
    form: Format | None = None
    redis: str | None = None
    key: str | None = None
    nakama: str | None = None
    leaderboard: str | None = None
    name: str | None = None


def import_command(
    board: Annotated[str, typer.Option(help="The board that takes the standings.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="CSV, lines of JSON (both may be .gz) or Parquet, with user_id and score.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="The file's; default: by its name.")
    ] = None,
    from_redis: Annotated[
        str | None, typer.Option(metavar="URL", help="The Redis with a sorted set.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="The sorted set's key.")] = None,
    from_nakama: Annotated[
        str | None, typer.Option(metavar="DSN", help="The database of a Nakama server.")
    ] = None,
    leaderboard: Annotated[str | None, typer.Option(help="The id of its leaderboard.")] = None,
    decimals: Annotated[
        int,
        typer.Option(
            help="Decimals of the source's scores: with 3, 83.204 is 83204 here.", min=0, max=6
        ),
    ] = 0,
    source: Annotated[
        str | None,
        typer.Option(
            help="The source's name: of one name, a user counts once. Default: by the file's "
            "name, key or leaderboard.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    refused: Annotated[
        Path | None,
        typer.Option(help="A file for all rows left out, with the reasons, as lines of JSON."),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Import standings into a board; a second run changes nothing.

    Each user's total becomes an action, which counts by the board's rules. Of
    equal scores the order of the source is kept. Exit code 1 if any row was left
    out.
    """
    given = Given(file, form, from_redis, key, from_nakama, leaderboard, source)
    counts = asyncio.run(
        import_standings(
            load_settings(data_dir), board, given, decimals=decimals, refused=refused, dry=dry_run
        )
    )
    for what, count in sorted(counts.items(), key=lambda one: (one[0] not in (NEW, BEFORE), one)):
        told = "would be imported" if dry_run and what == NEW else what
        say(f"{count:>12,} {told}")
    if not counts:
        say("The source has no rows.")
    if not counts.keys() <= {NEW, BEFORE}:
        raise typer.Exit(1)


async def import_standings(
    settings: Settings,
    board: str,
    given: Given,
    *,
    decimals: int = 0,
    refused: Path | None = None,
    dry: bool = False,
) -> Counter[str]:
    """How many rows there were, by what became of them, or would with ``dry``. Says on standard
    error which are left out."""
    async with AsyncExitStack() as opened:
        tools = await opened.enter_async_context(operator(settings))
        try:
            rules = await StoredSettings(tools.pool).get(board)
        except UnknownBoard as error:
            raise ConfigurationError(
                f"{error.detail} Make it, with its rules, by `scoreboard boards set {board} "
                "--operator sum|best|last`"
            ) from None
        if rules.mode != "off":
            raise gate_is_on(board)
        source = await opened.enter_async_context(_opened(given, rules.order))
        if source.order not in (None, rules.order):
            better = {"asc": "less", "desc": "more"}
            raise ConfigurationError(
                f"in {source.name} {better[source.order or 'desc']} is better, and on {board} "
                f"{better[rules.order]}; scores would stand upside down"
            )
        teller = _Teller(opened.enter_context(_file_of(refused)))
        record = ImportRecord(tools.pool)
        path = await opened.enter_async_context(submitter(settings, tools))
        with pace_bar(console(err=True)) as bar:
            started = asyncio.get_running_loop().time()
            task = bar.add_task(printable(f"{source.name} to {board}"), total=source.rows, pace="")

            def advance(rows: int) -> None:
                done = bar.tasks[0].completed + rows
                pace = done / (asyncio.get_running_loop().time() - started)
                bar.update(task, advance=rows, pace=f"{pace:,.0f} rows/s")

            importer = Importer(
                board,
                Plan(rules, source.name, decimals),
                path,
                record,
                on_refused=teller.tell,
                on_rows=advance,
            )
            source.chunks = _without_erased(source.chunks, Erasures(tools.pool), importer)
            if not dry:
                keeper = profile_keeper(tools.redis, tools.pool)
                source.chunks = _with_profiles(source.chunks, keeper)
            try:
                await importer.run(source, dry=dry)
            finally:
                if not dry:
                    await record.note(
                        board, by=ACTOR, details=_details(source, decimals, importer.counts)
                    )
        teller.close()
        for warning in source.warnings:
            say(f"{source.name}: {warning}", err=True)
    return importer.counts


class _Teller:
    """Says which rows are left out: the first on the terminal, all in the file if there is one."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file
        self._told = 0

    def tell(self, refused: Refused) -> None:
        """Called for each."""
        row, reason = refused
        self._told += 1
        if self._told <= SHOWN:
            say(f"row {row.place:,}, {row.user_id!r} with {row.score}: {reason}", err=True)
        if self._file is not None:
            user = row.user_id.encode(errors="backslashreplace").decode()
            line = {"row": row.place, "userId": user, "score": str(row.score), "reason": reason}
            self._file.write(msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """Says how many more there were."""
        if self._told > SHOWN:
            where = "are in the file" if self._file is not None else "by --refused FILE"
            more = self._told - SHOWN
            rows = "more row is" if more == 1 else "more rows are"
            say(f"... {more:,} {rows} left out; all {where}", err=True)


@asynccontextmanager
async def _opened(given: Given, order: Order) -> AsyncIterator[Source]:
    """The source that the options name. Raises ConfigurationError unless they name one."""
    if sum(one is not None for one in (given.file, given.redis, given.nakama)) != 1:
        raise ConfigurationError("name one source: a file, --from-redis or --from-nakama")
    for option, value, partner, other in (
        ("--from-redis", given.redis, "--key", given.key),
        ("--from-nakama", given.nakama, "--leaderboard", given.leaderboard),
    ):
        if (value is None) != (other is None):
            raise ConfigurationError(f"{option} and {partner} go together")
    if given.file is not None:
        file = await asyncio.to_thread(open_standings, given.file, given.form)
        name = _name(given, given.file.name)
        yield Source(name, file.rows, _chunks(file), file.head.order)
    elif given.redis is not None and given.key is not None:
        redis = topology_at(given.redis, variable="--from-redis").client(timeout=TIMEOUT)
        name = _name(given, f"redis:{given.key}")
        try:
            with _told_of("--from-redis"):
                source = await zset_source(redis, given.key, order, name)
            yield source
        finally:
            await redis.aclose()
    elif given.nakama is not None and given.leaderboard is not None:
        name = _name(given, f"nakama:{given.leaderboard}")
        async with AsyncExitStack() as opened:
            with _told_of("--from-nakama"):
                source = await opened.enter_async_context(
                    nakama_source(given.nakama, given.leaderboard, name)
                )
            yield source


@contextmanager
def _told_of(option: str) -> Iterator[None]:
    """Says of a server that is away that it is the source's."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(f"{option}: {error.detail}", words=error.words) from error


def _name(given: Given, default: str) -> str:
    try:
        return msgspec.convert(given.name or default, SourceName)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"name the source by --source: {error}") from error


async def _without_erased(
    chunks: AsyncIterator[Sequence[SourceRow]], erasures: Erasures, importer: Importer
) -> AsyncIterator[Sequence[SourceRow]]:
    """The same without players who were erased."""
    async for chunk in chunks:
        erased = await erasures.erased_among([row.user_id for row in chunk])
        for row in chunk:
            if row.user_id in erased:
                importer.leave_out(row, "the player was erased")
        yield [row for row in chunk if row.user_id not in erased]


async def _with_profiles(
    chunks: AsyncIterator[Sequence[SourceRow]], keeper: ProfileKeeper
) -> AsyncIterator[Sequence[SourceRow]]:
    """The same, with what is said of users made their profiles before, where they have none."""
    async for chunk in chunks:
        if profiles := {row.user_id: row.profile for row in chunk if row.profile is not None}:
            await keeper.add(profiles)
        yield chunk


async def _chunks(file: StandingsFile) -> AsyncIterator[Sequence[SourceRow]]:
    rows = file.read()
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


@contextmanager
def _file_of(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}") from error


def _details(source: Source, decimals: int, counts: Counter[str]) -> str:
    told = {"source": source.name, "decimals": decimals, "rows": source.rows, "counts": counts}
    return msgspec.json.encode(told).decode()
