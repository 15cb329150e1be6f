"""The drivers, one process of each client for all its cases, and the table of who passed what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from clients.conformance.drivers import KINDS, Driver, Kind
from clients.conformance.scripted_server import ScriptedServer, scripted_server
from scoreboard.api.tokens import local_keys, mint
from scripts.load.service import Server, of_our_own
from scripts.load.target import Target
from tests.support.programs import program

_drivers: dict[str, Driver] = {}
_built: set[str] = set()
_table: dict[str, dict[str, str]] = defaultdict(dict)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name, scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each client; skipped where its language is missing, but not in CI."""
    return ready(request.param)


@pytest.fixture(params=KINDS, ids=lambda kind: f"one store, and {kind.name}", scope="session")
def other(request: pytest.FixtureRequest) -> Kind:
    """Each client once more, for what two of them do."""
    return ready(request.param)


def ready(kind: Kind) -> Kind:
    """The client, built."""
    program(kind.needs, package=kind.package)
    if kind.name not in _built:
        kind.build()
        _built.add(kind.name)
    return kind


@pytest_asyncio.fixture(loop_scope="session")
async def driver(kind: Kind, request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """The client's driver. After a case that failed the next one gets a new process."""
    driver = _drivers.get(kind.name)
    if driver is None:
        driver = _drivers[kind.name] = await Driver.start(kind)
    yield driver
    if request.node.stash.get(_FAILED, False):
        await _drivers.pop(kind.name).kill()


@pytest_asyncio.fixture(loop_scope="session", scope="session", autouse=True)
async def _no_driver_is_left() -> AsyncIterator[None]:
    yield
    for driver in _drivers.values():
        await driver.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[ScriptedServer]:
    """A scripted server."""
    async with scripted_server() as server:
        yield server


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    """A service whose boards only tokens may read, so that WebSockets need tickets."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SCOREBOARD_PUBLIC_READS", "false")
        environment.setenv("SCOREBOARD_HEARTBEAT", "600")  # seconds: none disturbs the cases
        with of_our_own(workers=1) as server:
            yield server


@pytest.fixture(scope="session")
def service(running: Server) -> Target:
    """Where it is, with a token for everything."""
    return running.target


@pytest.fixture(scope="session")
def token_for(running: Server) -> Callable[[str, str], str]:
    """Makes the service's tokens, of a subject and scopes."""
    assert running.logs is not None
    keys = local_keys((running.logs / "secret").read_text(encoding="utf-8"))
    return lambda subject, scope: mint(keys, "HS256", subject=subject, scope=scope, ttl=3600)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes the outcome of a test that has a client and a case in its name."""
    name, _, rest = report.nodeid.partition("::")[2].partition("[")
    clients = sorted((kind.name for kind in KINDS), key=len, reverse=True)
    client = next((one for one in clients if rest.startswith(one)), None)
    if client and (report.when == "call" or report.outcome != "passed"):
        case = rest.removeprefix(client).removesuffix("]").removeprefix("-")
        _table[case or name.removeprefix("test_").replace("_", " ")][client] = report.outcome


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the table: case by client."""
    clients = [kind.name for kind in KINDS]
    signs = {"passed": "yes", "failed": "NO", "skipped": "-"}
    width = max((len(case) for case in _table), default=0)
    terminalreporter.section("what each client does")
    terminalreporter.write_line(f"{'':{width}}  {'  '.join(clients)}")
    for case, outcomes in _table.items():
        cells = (f"{signs.get(outcomes.get(one, ''), ''):{len(one)}}" for one in clients)
        terminalreporter.write_line(f"{case:{width}}  {'  '.join(cells)}")
