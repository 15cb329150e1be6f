"""What came of a sender's calls, in plain arrays until the end of the run."""

from __future__ import annotations

from array import array
from collections import Counter

import numpy as np

from scripts.load_test.messages import SenderReport
from scripts.load_test.plan import Plan
from scripts.load_test.traffic import Action, Call

MAX_EXAMPLES = 20
NEVER = -1  # in place of a time since the call was sent


class Account:
    """Filled while the sender runs. Instants and times in ns."""

    def __init__(self, plan: Plan) -> None:
        self._users = plan.users + 1
        self._acknowledged = np.zeros(plan.boards * self._users, np.int64)
        self._actions = 0
        self._due = array("q")
        self._lag = array("q")
        self._service = array("q")
        self._latency = array("q")
        self._accepted = array("q")
        self._known = array("q")
        self._refused = array("q")
        self._probe_board = array("q")
        self._probe_due = array("q")
        self._probe_score = array("q")
        self._violations: list[str] = []
        self._violation_count = 0
        self.outcomes: Counter[str] = Counter()
        self.unsettled = 0  # calls whose outcome never became known
        self.cpu_seconds = 0.0
        self.finished = 0

    def count(self, board: int, action: Action) -> None:
        """The server has acknowledged the action's points."""
        self._acknowledged[board * self._users + action.user] += action.points
        self._actions += 1

    def probe(self, call: Call, score: int) -> None:
        """A probe was acknowledged with the total ``score``."""
        self._probe_board.append(call.board)
        self._probe_due.append(call.due)
        self._probe_score.append(score)

    def violation(self, text: str) -> None:
        """An answer broke the contract."""
        self._violation_count += 1
        if len(self._violations) < MAX_EXAMPLES:
            self._violations.append(text)

    def finish(self, call: Call, start: int, now: int) -> None:
        """Every action of the call has an outcome, or the call is given up unsent."""
        self.finished += 1
        self._due.append(call.due - start)
        self._lag.append(call.lag)
        self._service.append(now - call.sent if call.sent else NEVER)
        self._latency.append(now - call.due)
        self._accepted.append(call.accepted)
        self._known.append(call.known)
        self._refused.append(call.refused)

    def latencies_since(self, position: int) -> np.typing.NDArray[np.int64]:
        """Of the calls finished after the first ``position`` ones."""
        return np.array(self._latency[position:], np.int64)

    def report(self) -> SenderReport:
        return SenderReport(
            due=self._due.tobytes(),
            lag=self._lag.tobytes(),
            service=self._service.tobytes(),
            latency=self._latency.tobytes(),
            accepted=self._accepted.tobytes(),
            known=self._known.tobytes(),
            refused=self._refused.tobytes(),
            probe_board=self._probe_board.tobytes(),
            probe_due=self._probe_due.tobytes(),
            probe_score=self._probe_score.tobytes(),
            acknowledged=self._acknowledged.tobytes(),
            acknowledged_actions=self._actions,
            outcomes=dict(self.outcomes),
            violations=self._violations,
            violation_count=self._violation_count,
            unsettled=self.unsettled,
            cpu_seconds=self.cpu_seconds,
        )
