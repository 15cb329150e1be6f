"""Files that the environment names and a library opens by itself, some while it is imported. One
that is given a pipe waits for it without limit, and from a device without an end it reads until the
memory is full."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from scoreboard.errors import ConfigurationError
from scoreboard.files import check_lasting

# Of asyncpg and of OpenSSL.
READ = (
    "PGSERVICEFILE",
    "PGPASSFILE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCRL",
    "SSL_CERT_FILE",
)


def check_files_of_libraries(environ: Mapping[str, str]) -> None:
    """Raises ConfigurationError for a pipe, or a device without an end. A file that is not there,
    or that may not be read, is for the library to tell: it may never need it."""
    for name in READ:
        path = environ.get(name, "")
        try:
            mode = Path(path).stat().st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):  # other files have an end
                check_lasting(path)
        except OSError:
            continue
        except ValueError as error:
            raise ConfigurationError(f"{name}={path}: expected a file ({error})") from None
