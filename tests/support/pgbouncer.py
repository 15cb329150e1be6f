"""PgBouncer between the tests and their Postgres, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import free_port, not_as_root, own
from tests.support.programs import answers_at, program
from tests.support.waiting import PATIENCE


@contextmanager
def pgbouncer(url: str, folder: Path, **options: str) -> Iterator[str]:
    """URL that leads to the database of ``url`` through a PgBouncer with these options."""
    path = program("pgbouncer", package="pgbouncer")
    port, target = free_port(), urlsplit(url)
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "plain",
        "auth_file": "users.txt",
        **options,
    }
    database = f"host=127.0.0.1 port={target.port} password={target.password}"
    lines = ["[databases]", f"* = {database}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    (folder / "pgbouncer.ini").write_text("\n".join(lines))
    (folder / "users.txt").write_text(f'"{target.username}" "{target.password}"\n')
    for written in (folder, *folder.iterdir()):
        own(written)
    process = Child(
        "PgBouncer",
        not_as_root([path, "pgbouncer.ini"]),
        log=folder / "pgbouncer.log",
        folder=folder,
    )
    process.start()
    try:
        process.wait_until(answers_at(port), timeout=PATIENCE)
        yield url.replace(f":{target.port}/", f":{port}/")
    finally:
        process.kill()
