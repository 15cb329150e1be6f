"""The anomaly gate: four agents judge every action before it is written; all must approve.

Pure computation: who calls it reads the profiles and device records and stores the new ones.
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
"""The suspicion of what a hard rule refuses: above any forest's or limit's."""


@dataclass(frozen=True, slots=True)
class GateRules:
    """The exact rules beside the forests.

    ``max_ahead_ms``: how far the agents' clock may run ahead of the time of receipt;
    ``max_age_ms``: how far behind, None allows a replay of history. ``max_speed_kmh``: no airliner
    is as fast from door to door.
    """

    max_ahead_ms: int = 120_000
    max_age_ms: int | None = 86_400_000
    max_speed_kmh: float = 1_000.0


@dataclass(slots=True)
class _Seat:
    """A case on its way through the gate: what is known of it, then what the agents say."""

    index: int
    case: Case
    profile: Profile
    record: DeviceRecord | None
    rows: dict[str, list[float] | None]
    scores: dict[str, float | None]
    broken: list[Reason]


class Gate:
    """Judges batches of one board. Without a model it learns: only the hard rules refuse."""

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
        """Judge ``cases`` in order.

        ``profiles`` (by user id) and ``devices`` (by device id) are the stored payloads from
        before the batch; a missing one is a blank memory. A user's second action sees the profile
        after the first, with it if it was approved or, under ``accept_refused`` (mode ``flag``),
        in any case. The forests score each round of cases, at most one a user and device, at once.
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
        """Note the attempt, check the hard rules and gather the agents' features."""
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
        """Put the agents' answers together and move the memory on."""
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
        if not seat.rows:  # a wrong clock: nothing in the case can be trusted enough to remember
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
    """Indexes of ``cases`` in rounds, so that whoever shares a user or a device with an earlier
    case comes in a later round than it."""
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
