"""The anomaly gate: four agents judge every action before it is written; all must approve.

Pure computation: the caller reads the profiles and device records and stores the new ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scoreboard.anomaly.agent import Agent
from scoreboard.anomaly.features import (
    AGENTS,
    behavior_features,
    device_features,
    location_features,
    time_features,
)
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.profile import (
    DeviceRecord,
    Profile,
    decode_device,
    decode_profile,
    encode,
    fold,
    note_acceptance,
    note_account,
    note_attempt,
    note_refusal,
)
from scoreboard.domain.judging import Case, Judgement, Reason

RULE: Final = 2.0
"""The suspicion reported for an action that a hard rule refuses; higher than any forest's or
limit's."""


@dataclass(frozen=True, slots=True)
class GateRules:
    """The exact rules beside the forests.

    ``max_ahead_ms`` is how far an action's own time may be ahead of the time of receipt,
    ``max_age_ms`` how far behind it; None allows a replay of history. ``max_speed_kmh`` is faster
    than any airliner, counted from door to door.
    """

    max_ahead_ms: int = 120_000
    max_age_ms: int | None = 86_400_000
    max_speed_kmh: float = 1_000.0


@dataclass(slots=True)
class _Seat:
    """A case on its way through the gate: first its inputs, then what the agents say about it."""

    index: int
    case: Case
    profile: Profile
    record: DeviceRecord | None
    rows: dict[str, list[float] | None]
    scores: dict[str, float | None]
    broken: list[Reason]


class Gate:
    """Judges batches of one board. Without a model only the hard rules refuse."""

    def __init__(self, model: Model | None, rules: GateRules | None = None) -> None:
        self.model = model
        self.rules = rules or GateRules()
        agents = model.agents if model else {}
        self._agents = [Agent(name, agents[name]) for name in AGENTS if name in agents]

    def judge(
        self,
        cases: Sequence[Case],
        profiles: Mapping[str, bytes | None],
        devices: Mapping[str, bytes | None],
        *,
        accept_refused: bool = False,
    ) -> list[Judgement]:
        """Judges ``cases`` in order and returns a verdict for each.

        ``profiles`` (by user id) and ``devices`` (by device id) are the stored payloads from
        before the batch; a missing one means a blank memory. A user's second action is judged by
        the profile as the first one left it: a refused action is learned from only with
        ``accept_refused`` (mode ``flag``). The forests score a whole round of cases at once; a
        round has at most one case per user and per device.
        """
        memory: dict[str, Profile] = {}
        records: dict[str, DeviceRecord] = {}
        judged: dict[int, Judgement] = {}
        for indexes in _rounds(cases):
            seats = []
            for index in indexes:
                case = cases[index]
                user, device = case.user_id, _device_id(case)
                if user not in memory:
                    memory[user] = decode_profile(profiles.get(user))
                if device is not None and device not in records:
                    records[device] = decode_device(devices.get(device))
                record = records[device] if device is not None else None
                seats.append(self._seat(index, case, memory[user], record))
            self._ask_agents(seats)
            for seat in seats:
                judged[seat.index] = self._verdict(seat, accept_refused)
        return [judged[index] for index in range(len(cases))]

    def recall(self, cases: Sequence[Case]) -> bytes:
        """The memory of a user whose latest accepted actions these are, in order."""
        return fold(None, *cases)

    def _seat(self, index: int, case: Case, profile: Profile, record: DeviceRecord | None) -> _Seat:
        """Notes the attempt, checks the hard rules and gathers the agents' features."""
        broken = self._broken_timestamps(case)
        rows: dict[str, list[float] | None] = {}
        if not broken:
            note_attempt(profile, case)
            rows["location"] = location_features(profile, case)
            broken = self._broken_limits(case, rows["location"])
            if self.model is not None:
                rows["time"] = time_features(profile, case, self.model.board)
                rows["behavior"] = behavior_features(profile, case, self.model.board)
                rows["device"] = device_features(profile, case, record) if record else None
        return _Seat(index, case, profile, record, rows, dict.fromkeys(AGENTS), broken)

    def _broken_timestamps(self, case: Case) -> list[Reason]:
        ahead, rules = case.at_ms - case.received_ms, self.rules
        if ahead > rules.max_ahead_ms:
            about, limit = "is from the future", rules.max_ahead_ms / 1000
            return [Reason("time", "clock", ahead / 1000, 0.0, limit, "s", about)]
        if rules.max_age_ms is not None and -ahead > rules.max_age_ms:
            about, limit = "is from too long ago", rules.max_age_ms / 1000
            return [Reason("time", "clock", ahead / 1000, -limit, 0.0, "s", about)]
        return []

    def _broken_limits(self, case: Case, location: list[float] | None) -> list[Reason]:
        broken = []
        if location is not None:
            speed = math.expm1(location[0])
            if speed > (most := self.rules.max_speed_kmh):
                about = "moved faster than an airliner"
                broken.append(Reason("location", "speed", speed, 0.0, most, "km/h", about))
        if self.model is not None:
            low, high = self.model.board.points_low, self.model.board.points_high
            if not low <= case.points <= high:
                about = "makes points that no honest action makes"
                values = float(case.points), float(low), float(high)
                broken.append(Reason("behavior", "points", *values, "points", about))
        return broken

    def _ask_agents(self, seats: list[_Seat]) -> None:
        for agent in self._agents:
            asked = [seat for seat in seats if seat.rows.get(agent.name) is not None]
            rows = [row for seat in asked if (row := seat.rows[agent.name]) is not None]
            if rows:
                for seat, score in zip(asked, agent.suspicions(rows), strict=True):
                    seat.scores[agent.name] = score

    def _verdict(self, seat: _Seat, accept_refused: bool) -> Judgement:
        """Combines the agents' answers into a verdict and updates the memories."""
        case, profile, record, scores = seat.case, seat.profile, seat.record, seat.scores
        reasons = seat.broken
        for reason in reasons:
            scores[reason.agent] = RULE
        for agent in self._agents:
            score, row = scores[agent.name], seat.rows.get(agent.name)
            if score is not None and 1.0 < score < RULE and row is not None:
                reasons = [*reasons, *agent.reasons(row)]
        if record is not None and seat.rows:
            note_account(record, case)
        device = encode(record) if record is not None else None
        if not seat.rows:  # the clock is wrong: nothing in the case is reliable enough to remember
            applied, attempted = encode(profile), None
        elif not reasons or accept_refused:
            note_acceptance(profile, case)
            applied, attempted = encode(profile), None
        else:
            if_applied = decode_profile(encode(profile))
            note_acceptance(if_applied, case)
            note_refusal(profile, case)
            applied, attempted = encode(if_applied), encode(profile)
        return Judgement(
            tuple(name for name in AGENTS if name in {r.agent for r in reasons}),
            reasons,
            scores,
            applied,
            device,
            attempted,
        )


def _rounds(cases: Sequence[Case]) -> list[list[int]]:
    """Returns the indexes of ``cases`` in rounds: a case that shares its user or its device with an
    earlier case is in a later round than that one."""
    rounds: list[list[int]] = []
    free: dict[tuple[str, str], int] = {}
    for index, case in enumerate(cases):
        user, device = ("user", case.user_id), ("device", _device_id(case) or "")
        turn = free.get(user, 0)
        if device[1]:
            turn = free[device] = max(turn, free.get(device, 0))
            free[device] += 1
        free[user] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(index)
    return rounds


def _device_id(case: Case) -> str | None:
    return case.context.device_id if case.context else None
