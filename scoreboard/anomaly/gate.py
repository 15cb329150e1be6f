"""The anomaly gate: its agents judge every action before it is written; all must approve.

Pure computation: the caller reads the profiles and device records and stores the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Final

import msgspec

from scoreboard.anomaly import agents
from scoreboard.anomaly.agent import Scene
from scoreboard.anomaly.memory.devices import note_account
from scoreboard.anomaly.memory.learning import fold, note_acceptance, note_refusal
from scoreboard.anomaly.memory.records import (
    DeviceRecord,
    Profile,
    decode_device,
    decode_profile,
    encode,
)
from scoreboard.anomaly.memory.standing import standing
from scoreboard.anomaly.memory.tempo import note_attempt
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.rules import GateRules
from scoreboard.anomaly.trained import TrainedAgent
from scoreboard.anomaly.weekly import week_reasons
from scoreboard.domain.judging import Case, Judgement, Reason

RULE: Final = 2.0
"""The suspicion reported for an action that a hard rule refuses. A forest's may be higher, when its
threshold is below 0.5."""


class _Seat(msgspec.Struct):
    """A case on its way through the gate: first its inputs, then what the agents say about it.

    ``rows`` are by the agents' places among those that look, None where one abstains. A ``doubted``
    case is neither judged further nor remembered.
    """

    scene: Scene
    rows: list[list[float] | None]
    scores: dict[str, float | None]
    reasons: list[Reason]
    doubted: bool


class Gate:
    """Judges batches of one board. Without a model only the hard rules refuse."""

    def __init__(self, model: Model | None, rules: GateRules | None = None) -> None:
        self.model = model
        self.rules = rules or GateRules()
        self._board = model.board if model else None
        self._names = agents.names()
        trained = model.agents if model else {}
        looking = [a for a in agents.REGISTERED if a.rule or a.name in trained]
        self._looking = [(agent.look, agent.rule) for agent in looking]
        self._trained = [
            (place, TrainedAgent(agent, trained[agent.name]))
            for place, agent in enumerate(looking)
            if agent.name in trained
        ]
        self._doubts = [agent.doubt for agent in agents.REGISTERED if agent.doubt]

    def judge(
        self,
        cases: Sequence[Case],
        profiles: Mapping[str, bytes | None],
        devices: Mapping[str, bytes | None],
        *,
        accept_refused: bool = False,
        scored: bool = True,
    ) -> list[Judgement]:
        """Judges ``cases`` in order and returns a verdict for each.

        ``profiles`` (by user id) and ``devices`` (by device id) are the stored payloads from
        before the batch; a missing one means a blank memory. A user's second action is judged by
        the profile as the first one left it: a refused action is learned from only with
        ``accept_refused`` (mode ``flag``). The forests score a whole round of cases at once; a
        round has at most one case per user and per device. Unless the answers shall be ``scored``,
        no forest is asked about what is refused whatever it says.
        """
        memory: dict[str, Profile] = {}
        records: dict[str, DeviceRecord] = {}
        judged: dict[int, Judgement] = {}
        for indexes in _rounds(cases):
            seats = []
            for index in indexes:
                case = cases[index]
                user, device = case.user_id, _device_id(case)
                profile = memory.get(user)
                if profile is None:
                    profile = memory[user] = decode_profile(profiles.get(user))
                record = None
                if device is not None and (record := records.get(device)) is None:
                    record = records[device] = decode_device(devices.get(device))
                seats.append(self._seat(case, profile, record, scored))
            self._ask_forests(seats, scored)
            for index, seat in zip(indexes, seats, strict=True):
                judged[index] = self._verdict(seat, accept_refused)
        return [judged[index] for index in range(len(cases))]

    def recall(self, cases: Sequence[Case]) -> bytes:
        """The memory of a user whose latest accepted actions these are, in order."""
        return fold(None, *cases)

    def recall_device(self, cases: Sequence[Case]) -> bytes:
        """The memory of a device on which these actions were made, in order."""
        record = DeviceRecord()
        for case in cases:
            note_account(record, case)
        return encode(record)

    def _seat(
        self, case: Case, profile: Profile, record: DeviceRecord | None, scored: bool
    ) -> _Seat:
        """Notes the attempt, gathers the agents' features and checks the hard rules."""
        scene = Scene(case, profile, standing(profile, case), record, self._board)
        rows: list[list[float] | None] = []
        reasons = [reason for doubt in self._doubts if (reason := doubt(case, self.rules))]
        doubted = bool(reasons)
        if not doubted:
            note_attempt(profile, case.at_ms)
            for look, rule in self._looking:
                row = look(scene)
                rows.append(row)
                if row is not None and rule and (reason := rule(scene, row, self.rules)):
                    reasons.append(reason)
        scores: dict[str, float | None] = {}
        if scored:
            scores = dict.fromkeys(self._names)
            scores.update({reason.agent: RULE for reason in reasons})
        return _Seat(scene, rows, scores, reasons, doubted)

    def _ask_forests(self, seats: list[_Seat], scored: bool) -> None:
        """Adds the reasons of the agents that no hard rule made refuse, and their scores."""
        for place, agent in self._trained:
            name = agent.name
            asked = [
                (seat, row)
                for seat in seats
                if not seat.doubted and (row := seat.rows[place]) is not None
            ]
            rows = [row for _, row in asked]
            if scored:
                suspicions = agent.suspicions(rows)
                refused = [suspicion > 1.0 for suspicion in suspicions]
                for (seat, _), suspicion in zip(asked, suspicions, strict=True):
                    if seat.scores[name] is None:
                        seat.scores[name] = suspicion
            else:
                refused = agent.refused(rows)
            for seat, row in compress(asked, refused):
                if all(reason.agent != name for reason in seat.reasons):
                    seat.reasons += agent.reasons(row)

    def _verdict(self, seat: _Seat, accept_refused: bool) -> Judgement:
        """Combines the agents' answers into a verdict and updates the memories."""
        scene, reasons = seat.scene, seat.reasons
        case, profile, stands, record = scene.case, scene.profile, scene.stands, scene.device
        if record is not None and not seat.doubted:
            note_account(record, case)
        device = encode(record) if record is not None else None
        noted: list[Reason] = []
        attempted = None
        if seat.doubted:
            applied = encode(profile)
        elif not reasons or accept_refused:
            if stands.another_week and self.model:
                noted = week_reasons(self.model, profile, case.at_ms)
            note_acceptance(profile, case, stands)
            applied = encode(profile)
        else:
            if_applied = decode_profile(encode(profile))
            note_acceptance(if_applied, case, stands)
            note_refusal(profile, case)
            applied, attempted = encode(if_applied), encode(profile)
        refusing = {reason.agent for reason in reasons}
        refused_by = tuple(name for name in self._names if name in refusing) if refusing else ()
        return Judgement(refused_by, reasons, seat.scores, applied, device, attempted, noted)


def _rounds(cases: Sequence[Case]) -> list[list[int]]:
    """Returns the indexes of ``cases`` in rounds: a case that shares its user or its device with an
    earlier case is in a later round than that one."""
    users = {case.user_id for case in cases}
    devices = [name for case in cases if (name := _device_id(case))]
    if len(users) == len(cases) and len({*devices}) == len(devices):  # as most are
        return [[*range(len(cases))]]
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
