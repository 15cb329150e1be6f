"""Which test of a run each of its processes begins with.

pytest-xdist gives every process as long a piece of the list of tests as any other, and one that has
done its own takes some from the end of another's. Most of a run's time goes to the few tests that
start programs and wait for them. Were these together in one piece, the last of them would end long
after all else; so each process has its share of them, and begins with it.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

SLOW = ("tests/faults/", "tests/e2e/", "tests/integration/commands/", "tests/integration/deploy/")
BY_FILE = "tests/e2e/"  # the tests of a file share a browser


def shared_out(tests: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """The tests in an order of which each of the ``processes`` gets a piece."""
    slow, quick = defaultdict(list), []
    for test in tests:
        file = test.nodeid.partition("::")[0]
        if file.startswith(SLOW):
            slow[file if file.startswith(BY_FILE) else test.nodeid].append(test)
        else:
            quick.append(test)
    shares: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for together in sorted(slow.values(), key=len, reverse=True):
        min(shares, key=len).extend(together)

    order: list[pytest.Item] = []
    for number, share in enumerate(shares):
        size = (len(tests) - len(order)) // (processes - number)
        share.sort(key=lambda test: _turn(test, number))
        filling = max(0, size - len(share))
        order += [*share, *quick[:filling]]
        del quick[:filling]
    return order + quick


def _turn(test: pytest.Item, process: int) -> int:
    """Each process begins with another kind: some wait while others compute."""
    kind = next(kind for kind, folder in enumerate(SLOW) if test.nodeid.startswith(folder))
    return (kind + process) % len(SLOW)
