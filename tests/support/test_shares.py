"""What tests/support/shares.py does with the order of the tests."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.support.shares import SLOW, shared_out


class Named:
    """A test that is only named."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


TESTS: list[Any] = [
    *(Named(f"tests/e2e/test_page{n}.py::test_{k}") for n in range(6) for k in range(5)),
    *(Named(f"tests/faults/test_loss.py::test_it[{k}]") for k in range(9)),
    *(Named(f"tests/integration/commands/test_up.py::test_{k}") for k in range(8)),
    *(Named(f"tests/unit/test_{n}.py::test_{k}") for n in range(20) for k in range(10)),
]


@pytest.mark.parametrize("processes", [2, 3, 4, 6])
def test_each_process_begins_with_its_share_of_the_slow_tests(processes: int) -> None:
    order = [test.nodeid for test in shared_out(TESTS, processes)]

    assert sorted(order) == sorted(test.nodeid for test in TESTS)
    begun, shares = 0, []
    for number in range(processes):  # as pytest-xdist deals them
        end = begun + (len(order) - begun) // (processes - number)
        slow = [name.startswith(SLOW) for name in order[begun:end]]
        shares.append(sum(slow))
        assert slow == sorted(slow, reverse=True)
        begun = end
    assert sum(shares) == 47
    assert max(shares) - min(shares) <= 5, "a file of pages at most"


def test_the_tests_of_a_page_stay_together() -> None:
    pages = [t.nodeid.split("::")[0] for t in shared_out(TESTS, 4) if "e2e" in t.nodeid]

    assert sum(a != b for a, b in itertools.pairwise(pages)) == 5


def test_where_all_are_slow_none_is_lost() -> None:
    slow = TESTS[:47]

    assert len(shared_out(slow, 4)) == 47
    assert shared_out(TESTS[47:], 4) == TESTS[47:]
