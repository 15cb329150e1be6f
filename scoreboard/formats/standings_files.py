"""Standings from files: CSV, lines of JSON, Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from scoreboard.domain.boards import Order
from scoreboard.domain.imports import SourceRow
from scoreboard.domain.quantities import quantity
from scoreboard.errors import ConfigurationError, InvalidRequest
from scoreboard.formats import parquet
from scoreboard.formats.text_files import CsvFile, Lines, refusal
from scoreboard.formats.writers import Format

USER = ("user_id", "userid")
SCORE = "score"
MOST_DIGITS = 40  # of a score

_NAMES = "name the columns user_id and score"
_json = msgspec.json.Decoder(dict[str, Any])


class Head(msgspec.Struct, frozen=True):
    """What an import needs of the head of an export."""

    what: str | None = None
    order: Order | None = None
    rows: int | None = None


class StandingsFile(NamedTuple):
    """A file that was looked through once: how many rows it has, and its head if it has one."""

    path: Path
    form: Format
    rows: int
    head: Head

    def read(self) -> Iterator[SourceRow]:
        """The rows in their order."""
        return _rows(self.path, self.form, [])


def open_standings(path: Path, form: Format | None) -> StandingsFile:
    """Looks through a file of standings, in the format that its name ends with, if none is given.
    Raises InvalidRequest for one that is malformed, cut off or of something else."""
    form = form or _format_of(path)
    heads: list[Head] = []
    rows = 0
    seen: set[int] = set()
    for row in _rows(path, form, heads):
        rows += 1
        user = hash(row.user_id)
        if user in seen:
            raise InvalidRequest(f"{path}, row {rows:,}: {row.user_id[:80]!r} is there twice.")
        seen.add(user)
    head = heads[0] if heads else Head()
    if head.what not in (None, "standings"):
        raise InvalidRequest(
            f"{path} has {head.what}, not standings; `scoreboard replay` posts it."
        )
    if head.rows not in (None, rows):
        raise InvalidRequest(
            f"{path} has {quantity(rows, 'row', ',')}, and its head says {head.rows:,}: it is cut "
            "off; export it again."
        )
    return StandingsFile(path, form, rows, head)


def _format_of(path: Path) -> Format:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    match suffixes[-1:]:
        case [".csv"] | [".tsv"] | [".txt"]:
            return "csv"
        case [".ndjson"] | [".jsonl"]:
            return "ndjson"
        case [".parquet"]:
            return "parquet"
    raise ConfigurationError(f"{path}: say by --format whether it is csv, ndjson or parquet")


def _rows(path: Path, form: Format, heads: list[Head]) -> Iterator[SourceRow]:
    """The rows; ``heads`` gets the head before the first."""
    if form == "csv":
        return _csv(path, heads)
    return _ndjson(path, heads) if form == "ndjson" else _parquet(path, heads)


def _csv(path: Path, heads: list[Head]) -> Iterator[SourceRow]:
    file = CsvFile(path)
    heads.extend(_head(comment) for comment in file.comments if comment.startswith("{"))
    try:
        user = next(at for at, name in enumerate(file.columns) if name in USER)
        score = file.columns.index(SCORE)
    except (StopIteration, ValueError):
        raise file.refusal(f"{_NAMES} in the first line, separated by commas") from None
    for names in (USER, (SCORE,)):
        if sum(map(file.columns.count, names)) > 1:
            raise file.refusal(f"two columns {names[0]}; rename or remove one of them")
    comma = "." if file.separator == "," else ","  # of decimals
    named = len(file.columns)
    for place, values in enumerate(file.rows(), 1):
        if any(value.strip() for value in values[named:]):
            # Such as 1,234 for a score, which is not 1.
            raise file.refusal(
                f"{len(values)} columns where the first line names {named}; quote a value that has "
                "the separator in it"
            )
        try:
            yield SourceRow(place, values[user], _number(values[score].replace(comma, ".")))
        except ValueError as error:
            raise file.refusal(str(error)) from error


def _ndjson(path: Path, heads: list[Head]) -> Iterator[SourceRow]:
    lines = Lines(path)
    place = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            # Numbers stay as they are written: a float would not.
            row = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            if not place and "snapshot" in row:
                heads.append(msgspec.json.decode(row["snapshot"], type=Head))
                continue
            user = next(row[name] for name in ("userId", "user_id") if name in row)
            place += 1
            yield SourceRow(
                place,
                msgspec.json.decode(user, type=str),
                _number(bytes(row[SCORE]).decode()),
            )
        except (KeyError, StopIteration):
            raise refusal(path, lines.number, "no userId, or no score") from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise refusal(path, lines.number, f"no object of JSON as is wanted: {error}") from error
        except ValueError as error:
            raise refusal(path, lines.number, str(error)) from error


def _parquet(path: Path, heads: list[Head]) -> Iterator[SourceRow]:
    place = 0
    for found in parquet.read(path, (*USER[:1], SCORE)):
        if isinstance(found, bytes):
            heads.append(_head(found))
            continue
        for user, score in found:
            place += 1
            number = isinstance(score, int | float | Decimal) and not isinstance(score, bool)
            if not (isinstance(user, str) and number):
                raise InvalidRequest(f"{path}, row {place:,}: no user_id, or no score.")
            yield SourceRow(place, user, score)


def _head(text: str | bytes) -> Head:
    try:
        return msgspec.json.decode(text, type=Head)
    except (msgspec.DecodeError, RecursionError):
        return Head()  # a comment of somebody else


def _number(text: str) -> int | Decimal:
    """A score as it is written. Raises ValueError."""
    text = text.strip()
    try:
        if len(text) > MOST_DIGITS:
            raise InvalidOperation
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"the score is {text[:40]!r} and has to be a number") from None
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else number
