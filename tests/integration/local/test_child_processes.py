"""Child processes, the watchdog that outlives their owner, and the data directory's locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.local import data_directory
from scoreboard.local.child_processes import MAX_LOG_BYTES, Child, Keeper, nap, stop_together
from scoreboard.local.interruption import Interrupted, Interruption
from tests.support.waiting import PATIENCE, wait_until

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
OWNER = """
import sys
from pathlib import Path
from scoreboard.local.child_processes import Child, Keeper
from scoreboard.local.watchdog import Watchdog
with Watchdog() as watchdog:
    keeper = Keeper(1, watchdog.guard)
    child = Child("sleeper", ["sleep", "600"], log=Path(sys.argv[1]), keeper=keeper)
    child.start()
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def python(tmp_path: Path, code: str, keeper: Keeper | None = None) -> Child:
    return Child("child", [sys.executable, "-c", code], log=tmp_path / "child.log", keeper=keeper)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_child_that_ends_too_early_is_quoted(tmp_path: Path) -> None:
    child = python(tmp_path, "print('first'); print('no such table'); raise SystemExit(3)")
    child.start()
    with pytest.raises(ConfigurationError, match=r"child did not start: no such table \(log: .*"):
        child.wait_until(lambda: False, timeout=PATIENCE)
    assert child.exit_code == 3


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    child = Child("child", ["/no/such/program"], log=tmp_path / "child.log")
    with pytest.raises(ConfigurationError, match=r"child can't be started: .*/no/such/program"):
        child.start()


def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    child = python(tmp_path, STUBBORN + "signal.pause()")
    child.start()
    child.wait_until(lambda: child.said("up"), timeout=PATIENCE)
    stop_together([child], timeout=0.1)
    assert child.exit_code == -signal.SIGKILL


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "child.log").write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    child = python(tmp_path, "print('fresh')")
    child.start()
    child.stop()
    assert (tmp_path / "child.log.1").stat().st_size == MAX_LOG_BYTES + 1
    assert (tmp_path / "child.log").stat().st_size < 100


async def test_the_watchdog_ends_the_children_of_an_owner_that_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert alive(pid)
    owner.kill()
    owner.communicate()
    await wait_until(lambda: not alive(pid), description="the child to end")


def test_a_data_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with (
        data_directory.claimed(tmp_path, nap),
        pytest.raises(ConfigurationError, match=f"in use by .* process id {os.getpid()}: stop"),
        data_directory.claimed(tmp_path, nap),
    ):
        pass
    with data_directory.claimed(tmp_path, nap):
        pass


def test_a_data_directory_is_claimed_when_the_last_child_of_the_former_owner_is_gone(
    tmp_path: Path,
) -> None:
    with data_directory.claimed(tmp_path, nap) as lock:
        child = python(tmp_path, STUBBORN + "signal.pause()", Keeper(lock, lambda child: None))
        child.start()
        child.wait_until(lambda: child.said("up"), timeout=PATIENCE)
    waited = []

    def end_the_child_at_last() -> None:
        waited.append(child.running)
        if len(waited) == 3:
            child.kill()

    with data_directory.claimed(tmp_path, end_the_child_at_last):
        assert waited[:3] == [True, True, True]
        assert not child.running


def test_a_directory_that_cannot_be_written_is_a_clear_error() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"can't write to the data directory: .*--data-dir"),
        data_directory.claimed(Path("/proc/scoreboard"), nap),
    ):
        pass


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    secret = data_directory.secret(tmp_path)
    assert len(secret) == 64
    assert data_directory.secret(tmp_path) == secret
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    with pytest.raises(ConfigurationError, match=r"secret is of no use .*remove it"):
        data_directory.secret(tmp_path)


def test_a_signal_is_a_wish_that_ends_the_next_pause() -> None:
    former = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        interruption.pause()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.wanted
        with pytest.raises(Interrupted):
            interruption.pause()
    assert signal.getsignal(signal.SIGTERM) == former
