"""The command ``scoreboard``."""

from __future__ import annotations

import os
import sys

from scoreboard.commands.files_of_libraries import check_files_of_libraries
from scoreboard.commands.terminal import (
    check_texts,
    open_closed_streams,
    say,
    tolerate_any_encoding,
    write_out,
)
from scoreboard.errors import ConfigurationError, ScoreboardError, Unavailable


def main() -> None:
    """Runs the command; an error that says what to do is one line, not a traceback, and so is one
    of the system, such as a full disk. A role that can't run as it is configured ends with
    os.EX_CONFIG: to start it again is of no use."""
    open_closed_streams()
    tolerate_any_encoding()
    try:
        check_texts(sys.argv[1:])
        check_files_of_libraries(os.environ)
        try:
            # Each loads what it needs: it stays in the memory of a role for as long as that runs.
            match sys.argv[1:]:
                case ["serve" | "persist" as role]:  # as it is deployed
                    # structlog loads rich when there is one, for tracebacks in colours: 3 MB.
                    sys.modules["rich"] = None  # type: ignore[assignment]
                    from scoreboard.commands import roles

                    roles.run(role, os.environ)
                case _:
                    from scoreboard.commands.program import app

                    app()
        finally:
            write_out()
    except ScoreboardError as error:
        words = f" {error.words}" if isinstance(error, Unavailable) and error.words else ""
        say(f"scoreboard: {error.detail}{words}", err=True)
        is_role = sys.argv[1:2] in (["serve"], ["persist"])
        sys.exit(os.EX_CONFIG if is_role and isinstance(error, ConfigurationError) else 1)
    except OSError as error:
        say(f"scoreboard: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:  # before the command itself has begun
        sys.exit(130)


if __name__ == "__main__":
    main()
