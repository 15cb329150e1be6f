"""Child processes, the caretaker that outlives their owner, and the data directory."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.local import data_directory
from scoreboard.local.caretaker import Caretaker
from scoreboard.local.child_processes import MAX_LOG_BYTES, Child, Keeper, nap, stop_together
from scoreboard.local.interruption import Interrupted, Interruption
from scoreboard.local.rotating_file import RotatingFile
from tests.support.waiting import PATIENCE, wait_until

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
OWNER = """
import sys
import time
from pathlib import Path
from scoreboard.local.caretaker import Caretaker
from scoreboard.local.child_processes import Child
talk = "trap 'echo goodbye; exit' TERM; echo hello; while :; do sleep 0.01; done"
with Caretaker(1) as caretaker:
    child = Child("child", ["sh", "-c", talk], log=Path(sys.argv[1]), keeper=caretaker)
    child.start()
    print(child.pid, flush=True)
    sys.stdin.read()
"""


class Careless:
    """A keeper that only hands the lock on."""

    def __init__(self, lock: int) -> None:
        self.lock = lock

    def adopt(self, child: Child, output: int) -> None:
        os.close(output)

    def release(self, child: Child) -> None: ...

    def settle(self) -> None: ...


def silent(sentence: str) -> None:
    """Says nothing."""


def python(tmp_path: Path, code: str, keeper: Keeper | None = None) -> Child:
    return Child("child", [sys.executable, "-c", code], log=tmp_path / "child.log", keeper=keeper)


@contextlib.contextmanager
def kept(**limits: int) -> Iterator[Caretaker]:
    lock, other = os.pipe()
    with Caretaker(lock, **limits) as caretaker:
        yield caretaker
    os.close(lock)
    os.close(other)


def wait(child: Child, meanwhile: Callable[[], None] = lambda: None) -> None:
    def never() -> bool:
        meanwhile()
        return False

    with contextlib.suppress(ConfigurationError):
        child.wait_until(never, timeout=PATIENCE)
    assert child.exit_code == 0


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


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


async def test_the_children_of_an_owner_that_is_killed_are_ended_and_their_last_lines_kept(
    tmp_path: Path,
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    await wait_until(lambda: "hello" in text(tmp_path / "log"), description="its first line")
    assert alive(pid)
    owner.kill()
    owner.communicate()
    await wait_until(lambda: not alive(pid), description="the child to end")
    await wait_until(lambda: "goodbye" in text(tmp_path / "log"), description="its last line")


def test_a_log_is_rotated_while_its_child_runs_and_no_line_is_lost(tmp_path: Path) -> None:
    write = "import sys; [print(f'{n:06}') for n in range(45_000)]; sys.stdout.flush()"
    # A file has room for all that is read of a pipe at once, 64 KiB.
    with kept(most_bytes=70_000, kept=7) as caretaker:
        children = [python(tmp_path, write, caretaker), python(tmp_path, write, caretaker)]
        for child in children:
            child.start()
        for child in children:
            wait(child)
        caretaker.settle()
    logs = sorted(tmp_path.glob("child.log*"))
    assert len(logs) == 8
    assert all(log.stat().st_size <= 70_000 for log in logs)
    assert all(log.stat().st_mode & 0o777 == 0o600 for log in logs)
    oldest_first = [*reversed(logs[1:]), logs[0]]
    lines = "".join(text(log) for log in oldest_first).splitlines()
    assert lines[-1] == "044999"
    assert all(len(line) == 6 for line in lines)
    assert 2 in Counter(lines).values(), "both children's lines are there"


def test_with_room_for_all_lines_every_one_is_kept_in_order(tmp_path: Path) -> None:
    write = "import sys; [print(f'{n:06}') for n in range(20_000)]; sys.stdout.flush()"
    with kept(most_bytes=50_000, kept=9) as caretaker:
        child = python(tmp_path, write, caretaker)
        child.start()
        wait(child)
    logs = sorted(tmp_path.glob("child.log*"))
    oldest_first = [*reversed(logs[1:]), logs[0]]
    lines = "".join(text(log) for log in oldest_first).splitlines()
    assert lines == [f"{n:06}" for n in range(20_000)]


def test_a_caretaker_that_is_killed_is_replaced_and_children_write_on(tmp_path: Path) -> None:
    with kept() as caretaker:
        handled = "import signal; signal.signal(12, lambda *_: print('two', flush=True)); "
        code = f"{handled}{STUBBORN}signal.pause(); signal.pause()"
        child = python(tmp_path, code, caretaker)
        child.start()
        child.wait_until(lambda: child.said("up"), timeout=PATIENCE)
        former = caretaker.pid
        os.kill(former, signal.SIGKILL)
        assert child.pid is not None
        os.kill(child.pid, 12)
        child.wait_until(lambda: child.said("two"), timeout=PATIENCE)
        assert caretaker.pid != former
        child.kill()


def test_children_write_on_without_end_when_the_caretaker_is_killed_and_looked_after(
    tmp_path: Path,
) -> None:
    code = "signal.pthread_sigmask(signal.SIG_BLOCK, [12]); print('up', flush=True); "
    code += "signal.sigwait([12]); [print(f'{n:06}') for n in range(50_000)]"
    with kept(most_bytes=1_000_000) as caretaker:
        child = python(tmp_path, f"import signal; {code}", caretaker)
        child.start()
        child.wait_until(lambda: child.said("up"), timeout=PATIENCE)
        os.kill(caretaker.pid, signal.SIGKILL)
        assert child.pid is not None
        os.kill(child.pid, 12)
        wait(child, meanwhile=caretaker.look)
        caretaker.settle()
        assert text(child.log).endswith("049999\n")


def test_a_caretaker_that_cannot_be_replaced_now_is_replaced_later(tmp_path: Path) -> None:
    with kept() as caretaker:
        child = python(tmp_path, f"{STUBBORN}signal.pause()", caretaker)
        child.start()
        child.wait_until(lambda: child.said("up"), timeout=PATIENCE)
        os.kill(caretaker.pid, signal.SIGKILL)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            child.kill()
            with pytest.raises(OSError, match="Too many open files"):
                caretaker.look()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        caretaker.look()
        child.start()
        child.wait_until(lambda: text(child.log).count("up") == 2, timeout=PATIENCE)
        child.kill()


def test_lines_that_do_not_fit_on_the_disk_are_counted_and_the_child_goes_on(
    tmp_path: Path,
) -> None:
    log, full = tmp_path / "log", Path("/dev/full")
    rights = full.stat().st_mode
    log.symlink_to(full)
    file = RotatingFile(log)
    file.write(b"one\ntwo\n")
    file.close()
    assert full.stat().st_mode == rights
    log.unlink()
    file.write(b"three\n")
    file.close()
    assert text(log) == "2 lines could not be written to this file\nthree\n"


async def test_its_owner_learns_that_lines_of_a_log_are_lost_and_that_they_are_no_more(
    tmp_path: Path,
) -> None:
    code = "signal.pthread_sigmask(signal.SIG_BLOCK, [12])\n"
    code += "while True: print('up', flush=True), signal.sigwait([12])"
    with kept() as caretaker:
        child = python(tmp_path, f"import signal; {code}", caretaker)
        child.log.mkdir()
        child.start()

        def trouble() -> str:
            try:
                caretaker.look()
            except OSError as error:
                return str(error)
            return ""

        told = await wait_until(trouble, description="it is told")
        assert told == f"lines of {child.log} are lost (Is a directory)"
        assert trouble() == told
        child.log.rmdir()
        assert child.pid is not None
        os.kill(child.pid, 12)
        await wait_until(lambda: not trouble(), description="the end of it is told")
        assert text(child.log) == "1 lines could not be written to this file\nup\n"
        child.kill()


def test_a_data_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with (
        data_directory.claimed(tmp_path, nap, silent),
        pytest.raises(ConfigurationError, match=f"in use by .* process id {os.getpid()}: stop"),
        data_directory.claimed(tmp_path, nap, silent),
    ):
        pass
    with data_directory.claimed(tmp_path, nap, silent):
        pass


def test_a_data_directory_is_claimed_when_the_last_child_of_the_former_owner_is_gone(
    tmp_path: Path,
) -> None:
    with data_directory.claimed(tmp_path, nap, silent) as lock:
        child = python(tmp_path, "import signal; signal.pause()", Careless(lock))
        child.start()
    waited = []

    def end_the_child_at_last() -> None:
        waited.append(child.running)
        if len(waited) == 3:
            child.kill()

    with data_directory.claimed(tmp_path, end_the_child_at_last, silent):
        assert waited[:3] == [True, True, True]
        assert not child.running


def test_an_older_directory_becomes_private_with_all_that_up_keeps_in_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    (directory / "postgres").mkdir(parents=True)
    for name in ("secret", "serve.log", "serve.log.1", "run.json"):
        (directory / name).touch()
    for path in (directory, *directory.iterdir()):
        path.chmod(0o777)
    said: list[str] = []
    with data_directory.claimed(directory, nap, said.append):
        assert [p for p in (directory, *directory.iterdir()) if p.stat().st_mode & 0o077] == []
    assert said == []


def test_a_directory_with_other_things_in_it_keeps_its_rights_and_that_is_said(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "photo.jpg").touch(0o644)
    (tmp_path / "secret").touch(0o644)
    said: list[str] = []
    with data_directory.claimed(tmp_path, nap, said.append):
        assert tmp_path.stat().st_mode & 0o777 == 0o755
        assert (tmp_path / "photo.jpg").stat().st_mode & 0o777 == 0o644
        assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert said == [f"Others can see what is in {tmp_path}, which is not only Scoreboard's."]


def test_shared_figures_of_a_run_that_was_killed_are_removed_by_the_next(tmp_path: Path) -> None:
    killed = data_directory.figures(tmp_path)
    left = killed.__enter__()
    assert left.stat().st_mode & 0o777 == 0o700
    with data_directory.figures(tmp_path) as folder:
        assert folder.exists()
        assert not left.exists()
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_a_clear_error() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"can't write to the data directory: .*--data-dir"),
        data_directory.claimed(Path("/proc/scoreboard"), nap, silent),
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


def test_the_end_of_a_child_and_a_signal_cut_a_sleep_short(tmp_path: Path) -> None:
    child = Child("child", [sys.executable, "-c", ""], log=tmp_path / "log")
    begun = time.monotonic()
    with Interruption() as interruption:
        child.start()
        while child.running:
            interruption.sleep(PATIENCE)
        os.kill(os.getpid(), signal.SIGTERM)
        interruption.sleep(PATIENCE)
        assert interruption.wanted
    assert time.monotonic() - begun < PATIENCE


def test_no_file_is_larger_than_it_may_be_however_much_comes_at_once(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", most_bytes=1000, kept=99)
    long = "x" * 2500
    file.write("".join(f"{n:06}\n" for n in range(2000)).encode() + f"{long}\nlast\n".encode())
    file.close()
    logs = sorted(tmp_path.glob("log*"), key=lambda log: -int(log.suffix[1:] or 0))
    assert max(log.stat().st_size for log in logs) <= 1000
    whole = "".join(text(log) for log in logs).splitlines()
    assert whole == [*(f"{n:06}" for n in range(2000)), long, "last"]
