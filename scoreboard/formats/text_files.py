"""Lines and rows of text files that come from elsewhere, plain or packed by gzip.

What can be understood in one way only is read; of anything else one line says what is wrong, where,
and what to do.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from scoreboard.domain.quantities import quantity
from scoreboard.errors import InvalidRequest

SEPARATORS = ",;\t"
MOST_LINE = 1_000_000  # characters; else a packed file of one line would take all memory
COMMENT = "#"  # begins the lines before the first that are passed over

_GZIP = b"\x1f\x8b"
_BOM = "\ufeff"


class Lines:
    """The file's lines; ``number`` is that of the one given last. Raises InvalidRequest where the
    file can't be read or is not UTF-8."""

    def __init__(self, path: Path) -> None:
        self.number = 0
        self._path = path
        self._lines = self._read()

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def again(self, line: str) -> Iterator[str]:
        """The line that was given last once more, and then the rest."""
        yield line
        yield from self._lines

    def _read(self) -> Iterator[str]:
        here = 1  # the line that is being read
        if self._path.exists() and not self._path.is_file():
            problem = (
                "a pipe or a device, and the file is read more than once; save what comes from it "
                "as a file (one that is packed by gzip is taken as it is)"
            )
            raise refusal(self._path, here, problem)
        try:
            with _opened(self._path) as text:
                for line in iter(partial(text.readline, MOST_LINE + 1), ""):
                    if len(line) > MOST_LINE:
                        problem = f"longer than {MOST_LINE:,} characters; put each row on a line"
                        raise refusal(self._path, here, problem)
                    if not line.isascii():
                        line.encode()
                    self.number = here
                    yield line.removeprefix(_BOM) if here == 1 else line
                    here += 1
        except UnicodeEncodeError as error:
            problem = "not UTF-8; save the file in this encoding"
            raise refusal(self._path, here, problem) from error
        except EOFError as error:
            problem = "the gzip file is cut off here; copy it again from where it is whole"
            raise refusal(self._path, here, problem) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            problem = (
                "the gzip file is damaged; copy it again from where it is whole"
                if _is_gzip(self._path)
                else "not a gzip file, as its name says; take .gz off its name"
            )
            raise refusal(self._path, here, problem) from error
        except OSError as error:
            problem = f"can't be read: {error.strerror or 'the disk fails'}"
            raise refusal(self._path, here, problem) from error


class CsvFile:
    """A CSV file with the names of its columns, in small letters, in the first line that is neither
    empty nor a comment. Commas, semicolons or tabs separate them. ``comments`` are the lines
    before. Raises InvalidRequest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = Lines(path)
        self.comments: list[str] = []
        first = ""
        for line in self._lines:
            if line.startswith(COMMENT):
                self.comments.append(line.removeprefix(COMMENT).strip())
            elif line.strip():
                first = line
                break
        self.separator = max(SEPARATORS, key=first.count)
        self._rows = csv.reader(self._lines.again(first), strict=True, delimiter=self.separator)
        self.line = self._lines.number  # on which the row starts; a field may go over several
        with_names = self._next()
        self.columns = [name.strip().lower() for name in with_names or []]

    def rows(self) -> Iterator[list[str]]:
        """The rows that are not empty, each with a value for each column at least; ``line`` is that
        of the latest."""
        self.line = self._lines.number + 1
        while (values := self._next()) is not None:
            if any(value.strip() for value in values):  # else it is an empty line
                if len(values) < len(self.columns):
                    raise self.refusal(
                        f"{quantity(len(values), 'column')} where the first line names "
                        f"{len(self.columns)}; complete the row or take it out"
                    )
                yield values
            self.line = self._lines.number + 1

    def refusal(self, problem: str) -> InvalidRequest:
        """The error about the latest row."""
        return refusal(self._path, self.line, problem)

    def _next(self) -> list[str] | None:
        try:
            return next(self._rows, None)
        except csv.Error as error:
            raise self.refusal(_told(str(error))) from error


def refusal(path: Path, line: int, problem: str) -> InvalidRequest:
    """The error about a line of a file."""
    return InvalidRequest(f"{path}, line {max(1, line):,}: {problem}.")


def _opened(path: Path) -> IO[str]:
    packed = path.suffix == ".gz" or _is_gzip(path)
    # What is not UTF-8 is let through to the line that it is on.
    return (gzip.open if packed else open)(
        path, "rt", encoding="utf-8", errors="surrogateescape", newline=""
    )


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def _told(error: str) -> str:
    """What is wrong with a row, for what Python's reader says of it."""
    if "limit" in error:
        limit = csv.field_size_limit()
        return f"a field is longer than {limit:,} characters; close its quotes, or shorten it"
    if "unexpected end" in error:
        return "a quote is opened here and never closed; close its quotes"
    return "text follows a closed quote; close its quotes at its end, and double those within"
