"""A gate whose verdicts a test can foresee, in place of forests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scoreboard.domain.judging import Case, Judgement, Reason
from scoreboard.write_path.ports import Gate

TOO_MANY = 100
NOTED = 77  # points of an action that counts and of which something is noted
REASON = Reason("behavior", "points", 0.0, 0.0, float(TOO_MANY), "points", "makes many points")


class SuspiciousGate:
    """Refuses actions of 100 points and more. A user's memory is the number of actions seen and
    accepted; each judgement notes what it was shown."""

    def __init__(self) -> None:
        self.remembered: list[int] = []

    def judge(
        self,
        cases: Sequence[Case],
        profiles: Mapping[str, bytes | None],
        devices: Mapping[str, bytes | None],
        *,
        accept_refused: bool = False,
        scored: bool = True,
    ) -> list[Judgement]:
        seen = {user: int(payload or 0) for user, payload in profiles.items()}
        return [self._judge(case, seen, accept_refused) for case in cases]

    def recall(self, cases: Sequence[Case]) -> bytes:
        return b"%d" % len(cases)

    def recall_device(self, cases: Sequence[Case]) -> bytes:
        return b"%d" % len(cases)

    def _judge(self, case: Case, seen: dict[str, int], accept_refused: bool) -> Judgement:
        self.remembered.append(seen[case.user_id])
        refused = case.points >= TOO_MANY
        applied = b"%d" % (seen[case.user_id] + 1)
        attempted = b"%d" % seen[case.user_id]
        if not refused or accept_refused:
            seen[case.user_id] += 1
        reasons = [REASON] if refused else []
        agents = ("behavior",) if refused else ()
        noted = [REASON] if case.points == NOTED else []
        return Judgement(agents, reasons, {}, applied, None, attempted, noted)


class OneGate:
    """Gives every board the same gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def gate(self, board: str, *, allow_history: bool) -> Gate:
        return self._gate
