"""What commands print. Names, reasons and errors come from others: they are shown as they are, and
a terminal that reads the output is told nothing by them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import TYPE_CHECKING

from scoreboard.errors import ConfigurationError
from scoreboard.settings import is_text

if TYPE_CHECKING:
    from rich.console import Console


def printable(text: str) -> str:
    r"""The text with characters that nobody sees, which may move the cursor, turn the direction of
    writing or hide in a name, as escapes: ``\x1b``, ``\u202e``. Line breaks stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode()
        for one in text
    )


def say(text: str, *, err: bool = False) -> None:
    """Prints lines on standard output, or on standard error."""
    # Not by click, which takes an ASCII stream for one of UTF-8.
    print(printable(text), file=sys.stderr if err else sys.stdout)


def console(*, err: bool = False) -> Console:
    """A console for tables and progress bars that takes no text as markup. What others wrote has to
    be made ``printable`` before it is printed here."""
    from rich.console import Console  # not before it is needed: `serve` never does

    return Console(stderr=err, markup=False, emoji=False, highlight=False)


def open_closed_streams() -> None:
    """Fills the places of standard input, output and error that were closed when the process
    began. Otherwise files and connections would get their numbers, with which libuv closes none:
    it ends the process. On an output that was closed every print fails, so that nobody takes what
    was never written for written; on a closed error it is lost."""
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)  # the lowest number that is free
            os.set_inheritable(opened, True)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def tolerate_any_encoding() -> None:
    """From now on, characters that the locale's encoding lacks are printed as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def check_texts(arguments: Iterable[str]) -> None:
    """Refuses bytes that are no UTF-8 text, unless they name a file that there is. Raises
    ConfigurationError."""
    for argument in arguments:
        if not is_text(argument) and not os.path.lexists(argument):
            raise ConfigurationError(f"{argument!r} is no UTF-8 text")


def write_out() -> None:
    """Writes what standard output still holds. Raises OSError, and then drops it: at its end Python
    would try again and print an error of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
