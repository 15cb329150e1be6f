"""The roles of an embedded Postgres: an owner that migrates and a service that reads and writes
rows. Neither can read the machine's files, and nobody can log in as the superuser: what only that
one may do is done while the server is down, in Postgres's single-user mode."""

from __future__ import annotations

import secrets
import subprocess

from scoreboard.errors import ConfigurationError
from scoreboard.local import last_words
from scoreboard.local.embedded_servers import Postgres, not_as_root, own, write_private

OWNER, SERVICE = "scoreboard_owner", "scoreboard_service"
DATABASE = "postgres"

# Lines with a password are not logged. What an earlier version made belongs to the superuser, who
# was called scoreboard and had a password.
_ROLES = """
SET log_statement = 'none';

SET log_min_error_statement = 'panic';

DO $$
DECLARE
    role text;
    thing record;
BEGIN
    FOREACH role IN ARRAY ARRAY['{owner}', '{service}'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        EXECUTE format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION'
                       ' NOBYPASSRLS NOINHERIT', role);
    END LOOP;
    ALTER ROLE {owner} PASSWORD '{owner_password}';
    ALTER ROLE {service} PASSWORD '{service_password}';
    ALTER ROLE CURRENT_USER PASSWORD NULL;
    ALTER DATABASE {database} OWNER TO {owner};
    REVOKE ALL ON DATABASE {database} FROM PUBLIC;
    ALTER SCHEMA public OWNER TO {owner};
    FOR thing IN
        SELECT relname AS name, CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
    LOOP
        EXECUTE format('ALTER %s public.%I OWNER TO {owner}', thing.kind, thing.name);
    END LOOP;
    FOR thing IN
        SELECT oid::regtype AS name FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
    LOOP
        EXECUTE format('ALTER TYPE %s OWNER TO {owner}', thing.name);
    END LOOP;
    FOR thing IN
        SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO {owner}', thing.name);
    END LOOP;
END $$;

"""
_LOGINS = f"""# Written by scoreboard at every start.
host {DATABASE} {OWNER},{SERVICE} 127.0.0.1/32 scram-sha-256
"""


class Confined:
    """Gives an embedded Postgres that does not run these roles, also one with data of an earlier
    version."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._passwords = {
            role: postgres.directory / f"{role}.password" for role in (OWNER, SERVICE)
        }

    @property
    def owner_url(self) -> str:
        """The database for the role that migrates."""
        return self._url(OWNER)

    @property
    def service_url(self) -> str:
        """The database for the roles that serve and persist."""
        return self._url(SERVICE)

    def confine(self) -> None:
        """Makes the roles, once, and lets nobody else log in. Raises ConfigurationError."""
        logins = self._postgres.data / "pg_hba.conf"
        if not all(path.exists() for path in self._passwords.values()):
            passwords = {role: secrets.token_hex(16) for role in self._passwords}
            self._run(
                _ROLES.format(
                    owner=OWNER,
                    service=SERVICE,
                    database=DATABASE,
                    owner_password=passwords[OWNER],
                    service_password=passwords[SERVICE],
                )
            )
            for role, path in self._passwords.items():
                write_private(path, passwords[role])
        if logins.read_text(encoding="utf-8") != _LOGINS:
            write_private(logins, _LOGINS)
            own(logins)
        (self._postgres.directory / "password").unlink(missing_ok=True)

    def _url(self, role: str) -> str:
        password = self._passwords[role].read_text(encoding="utf-8")
        return f"postgresql://{role}:{password}@127.0.0.1:{self._postgres.port}/{DATABASE}"

    def _run(self, statements: str) -> None:
        """Each statement ends with a semicolon and an empty line."""
        program = self._postgres.binaries / "postgres"
        command = [str(program), "--single", "-j", "-D", str(self._postgres.data)]
        made = subprocess.run(
            not_as_root([*command, "-c", "exit_on_error=on", DATABASE]),
            cwd=self._postgres.directory,
            input=statements,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise ConfigurationError(
                f"Postgres can't use its data in {self._postgres.data}: "
                f"{last_words.cause(made.stderr.splitlines(), made.returncode)}"
            )
