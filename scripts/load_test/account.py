"""What came of a sender's calls, in plain arrays until the end of the run."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scripts.load_test.plan import Plan
from scripts.load_test.traffic import Action, ScoreCall

MAX_EXAMPLES = 20
NEVER = -1  # in place of a time since the call was sent
CALL = ("due", "lag", "service", "latency", "accepted", "known", "refused")
LATENCY = CALL.index("latency")
PROBE = ("board", "due", "score")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SenderReport:
    """``calls`` has a row of CALL for each finished call: ``due`` in ns after the start, ``lag``,
    ``service`` (NEVER: not sent) and ``latency`` in ns, then actions. ``probes`` has a row of
    PROBE for each acknowledged one, ``due`` in monotonic ns. ``points`` acknowledged: a row for
    each board, a column for each user."""

    calls: Ints
    probes: Ints
    points: Ints
    acknowledged: int  # actions
    outcomes: Counter[str]
    violations: list[str]
    violation_count: int
    unsettled: int  # calls whose outcome never became known
    cpu_seconds: float


class Account:
    """Filled while the sender runs. Instants and times in ns."""

    def __init__(self, plan: Plan) -> None:
        self._points = np.zeros((plan.boards, plan.users + 1), np.int64)
        self._acknowledged = 0
        self._calls = array("q")
        self._probes = array("q")
        self._violations: list[str] = []
        self._violation_count = 0
        self.outcomes: Counter[str] = Counter()

    @property
    def finished(self) -> int:
        """Calls."""
        return len(self._calls) // len(CALL)

    def count(self, board: int, action: Action) -> None:
        """The server has acknowledged the action's points."""
        self._points[board, action.user] += action.points
        self._acknowledged += 1

    def probe(self, call: ScoreCall, score: int) -> None:
        """A probe was acknowledged with the total ``score``."""
        self._probes.extend((call.board, call.due, score))

    def violation(self, text: str) -> None:
        """An answer broke the contract."""
        self._violation_count += 1
        if len(self._violations) < MAX_EXAMPLES:
            self._violations.append(text)

    def finish(self, call: ScoreCall, start: int, now: int) -> None:
        """Every action of the call has an outcome, or the call is given up unsent."""
        service = now - call.sent if call.sent else NEVER
        times = (call.due - start, call.lag, service, now - call.due)
        self._calls.extend((*times, call.accepted, call.known, call.refused))

    def latencies_since(self, position: int) -> Ints:
        """Of the calls finished after the first ``position`` ones."""
        return np.array(self._calls[position * len(CALL) + LATENCY :: len(CALL)], np.int64)

    def report(self, unsettled: int, cpu_seconds: float) -> SenderReport:
        return SenderReport(
            np.array(self._calls, np.int64).reshape(-1, len(CALL)),
            np.array(self._probes, np.int64).reshape(-1, len(PROBE)),
            self._points,
            self._acknowledged,
            self.outcomes,
            self._violations,
            self._violation_count,
            unsettled,
            cpu_seconds,
        )
