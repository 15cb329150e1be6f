"""What an error of Postgres means for who called, for the log and for a process that starts."""

from __future__ import annotations

import ssl

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.errors import Misconfigured, Unavailable
from scoreboard.pg import failures
from scoreboard.pg.failures import translated
from scoreboard.telemetry.sparse import Sparse

SECRET = "the words of the server: role joe at 10.1.2.3"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_sparse", Sparse())
    monkeypatch.setattr(failures, "_seen", {})


def told(error: Exception) -> Unavailable:
    with pytest.raises(Unavailable) as raised, translated():
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.PostgresConnectionError, "unreachable"),
        (asyncpg.CannotConnectNowError, "unreachable"),
        (asyncpg.AdminShutdownError, "unreachable"),
        (asyncpg.IdleInTransactionSessionTimeoutError, "unreachable"),
        (ConnectionRefusedError, "unreachable"),
        (asyncpg.InterfaceError, "unreachable"),
        (TimeoutError, "silent"),
        (asyncpg.LockNotAvailableError, "busy"),
        (asyncpg.QueryCanceledError, "busy"),
        (asyncpg.SerializationError, "busy"),
        (asyncpg.DeadlockDetectedError, "busy"),
        (asyncpg.InvalidCachedStatementError, "busy"),
        (asyncpg.TooManyConnectionsError, "exhausted"),
        (asyncpg.OutOfMemoryError, "exhausted"),
        (asyncpg.DiskFullError, "disk_full"),
        (asyncpg.ReadOnlySQLTransactionError, "read_only"),
        (asyncpg.TargetServerAttributeNotMatched, "read_only"),
        (asyncpg.PostgresIOError, "broken"),
        (asyncpg.DataCorruptedError, "broken"),
        (asyncpg.InternalServerError, "broken"),
    ],
)
def test_a_postgres_that_can_not_now_means_come_back_later(
    error: type[Exception], kind: str
) -> None:
    with capture_logs() as logs:
        answer = told(error(SECRET))
    assert not isinstance(answer, Misconfigured)
    assert (answer.status, answer.retry_after) == (503, 1.0)
    assert SECRET not in answer.detail
    (line,) = logs
    assert (line["event"], line["kind"]) == ("postgres_fails", kind)
    assert SECRET in line["said"]


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (asyncpg.InvalidPasswordError, "refused", "SCOREBOARD_DATABASE_URL"),
        (asyncpg.InvalidAuthorizationSpecificationError, "refused", "pg_hba.conf"),
        (asyncpg.InvalidCatalogNameError, "refused", "SCOREBOARD_DATABASE_URL"),
        (asyncpg.InsufficientPrivilegeError, "no_rights", "--grant-to"),
        (asyncpg.UndefinedTableError, "no_schema", "scoreboard migrate"),
        (asyncpg.UndefinedFunctionError, "no_schema", "scoreboard migrate"),
        (asyncpg.UndefinedColumnError, "no_schema", "scoreboard migrate"),
        (asyncpg.UndefinedObjectError, "no_schema", "scoreboard migrate"),
        (asyncpg.InvalidColumnReferenceError, "no_schema", "scoreboard migrate"),
        (asyncpg.DuplicatePreparedStatementError, "pooler", "pool_mode=session"),
        (asyncpg.ProtocolViolationError, "pooler", "SCOREBOARD_DATABASE_URL"),
        (ssl.SSLCertVerificationError, "tls", "sslrootcert"),
    ],
)
def test_a_postgres_that_refuses_tells_the_operator_what_to_change_and_the_public_nothing(
    error: type[Exception], kind: str, remedy: str
) -> None:
    with capture_logs() as logs:
        answer = told(error(SECRET))
    assert isinstance(answer, Misconfigured)
    assert answer.status == 503
    assert SECRET not in answer.detail
    assert SECRET in answer.words
    assert remedy in answer.words
    assert logs[0]["kind"] == kind


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("twice"),
        asyncpg.NumericValueOutOfRangeError("large"),
        asyncpg.PostgresSyntaxError("SELCT"),
        asyncpg.AmbiguousColumnError("which of them"),
        KeyError("a mistake of our own"),
    ],
)
def test_what_a_statement_did_wrong_itself_is_not_taken_for_an_outage(error: Exception) -> None:
    with capture_logs() as logs, pytest.raises(type(error)), translated():
        raise error
    assert logs == []


def test_an_outage_is_one_line_however_many_calls_it_fails() -> None:
    with capture_logs() as logs:
        for _ in range(1000):
            told(asyncpg.DiskFullError("No space left on device"))
        told(TimeoutError())
    assert [line["kind"] for line in logs] == ["disk_full", "silent"]


def test_health_reports_name_what_postgres_lately_refused_to_do() -> None:
    told(ConnectionRefusedError())  # of which they learn themselves
    assert failures.lately() == []
    told(asyncpg.DiskFullError("No space left on device"))
    assert failures.lately() == ["Postgres takes no writes: its disk is full."]
