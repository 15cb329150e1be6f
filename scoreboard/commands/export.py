"""``scoreboard export``: a board's standings or actions as a file."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, cast

import typer

from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import ACTOR, DataDirOption
from scoreboard.commands.progress import pace_bar
from scoreboard.commands.terminal import console, say
from scoreboard.domain.quantities import quantity
from scoreboard.domain.snapshots import Snapshot, Wanted, What
from scoreboard.errors import ConfigurationError
from scoreboard.formats.parquet import ParquetWriter, pyarrow
from scoreboard.formats.writers import TEXT_WRITERS, Format, Writer
from scoreboard.pg.exports import BoardExports
from scoreboard.settings import Settings


def export_command(
    board: Annotated[str, typer.Option(help="The board to export.")],
    what: Annotated[
        What, typer.Option(help="The standings, best first, or the actions in their order.")
    ] = "standings",
    form: Annotated[
        Format, typer.Option("--format", help="csv, ndjson or parquet (needs its extra).")
    ] = "csv",
    period: Annotated[
        str | None, typer.Option(help="A period; default: the table of all time.")
    ] = None,
    occurrence: Annotated[
        str | None,
        typer.Option(help="A number of the period, or previous; default: the current one."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file to make; default: standard output.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Export a board as it is in Postgres at one moment.

    The head of the output, and a line on standard error, name the last event that
    it has. What is accepted among the actions adds up to the standings. A file
    comes into being when it is complete.
    """
    wanted = Wanted(board, what, period, _number(period, occurrence))
    if form == "parquet":
        pyarrow()
    snapshot = asyncio.run(_export(load_settings(data_dir), wanted, form, output))
    say(
        f"{board}: {quantity(snapshot.rows, 'row', ',')} as of event {snapshot.watermark}", err=True
    )


def _number(period: str | None, occurrence: str | None) -> int | Literal["previous"] | None:
    if occurrence is None:
        return None
    if period is None:
        raise ConfigurationError("--occurrence needs --period")
    if occurrence == "previous":
        return "previous"
    if not (occurrence.isascii() and occurrence.isdigit() and len(occurrence) <= 15):
        raise ConfigurationError("--occurrence is a number, or previous")
    return int(occurrence)


async def _export(
    settings: Settings, wanted: Wanted, form: Format, output: Path | None
) -> Snapshot:
    async with operator(settings) as tools:
        exports = BoardExports(tools.pool)
        async with exports.open(wanted, by=ACTOR) as (snapshot, rows):
            made: Writer = (
                ParquetWriter(snapshot) if form == "parquet" else TEXT_WRITERS[form](snapshot)
            )
            with _opened(output) as file, pace_bar(console(err=True)) as bar:
                task = bar.add_task(wanted.board, total=snapshot.rows, pace="rows")
                file.write(made.head())
                async for chunk in rows:
                    file.write(made.rows(chunk))
                    bar.advance(task, len(chunk))
                file.write(made.tail())
    return snapshot


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """Standard output, a pipe or a device that has a name, or a file that has its name at the end
    and not before. Raises ConfigurationError for one that can't be written."""
    if output is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Who reads has enough; Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise ConfigurationError("standard output was closed before the end") from None
        return
    in_place = output.is_file() or not output.exists()
    try:
        with _put_in_place(output) if in_place else output.open("wb") as file:
            yield file
    except OSError as error:
        raise ConfigurationError(f"{output} can't be written: {error.strerror}") from error


@contextmanager
def _put_in_place(output: Path) -> Iterator[BinaryIO]:
    """A file that replaces ``output``, or the file that this is a link to, once it is complete."""
    place = Path(os.path.realpath(output))
    part = place.with_name(f"{place.name}.part")
    try:
        with part.open("wb") as file:
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
