"""The gate judges whatever the API accepts, and what it finds and remembers can be read again."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.memory.records import decode_profile, encode
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.actions import MAX_POINTS, ActionContext
from scoreboard.domain.judging import Case, Reason
from scoreboard.domain.moments import LATEST_MS

NOW = 1_790_000_000_000

moments = st.sampled_from([0, 1, NOW, LATEST_MS - 1, LATEST_MS]) | st.integers(0, LATEST_MS)
points = st.sampled_from([0, 1, -1, MAX_POINTS, -MAX_POINTS]) | st.integers(-MAX_POINTS, MAX_POINTS)
tiny = st.sampled_from([0.0, -0.0, 5e-324, 90.0, -90.0])
devices = st.sampled_from(["phone", "\U0010ffff" * 128, ""])
contexts = st.none() | st.builds(
    ActionContext,
    latitude=st.none() | tiny | st.floats(-90, 90),
    longitude=st.none() | tiny | st.floats(-180, 180),
    country=st.sampled_from([None, "AA", "ZZ"]),
    device_id=st.none() | devices,
    user_agent=st.none() | devices,
)
cases = st.builds(Case, st.sampled_from(["ann", "bob"]), points, moments, st.just(NOW), contexts)


@pytest.mark.parametrize(
    "rules", [GateRules(), GateRules(max_age_ms=None)], ids=["live", "any age"]
)
@pytest.mark.parametrize("trained", [True, False])
def test_every_case_is_judged_and_every_finding_is_a_number(
    model: Model, trained: bool, rules: GateRules
) -> None:
    gate = Gate(model if trained else None, rules)
    findings = msgspec.json.Decoder(list[Reason])

    @settings(max_examples=60, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.lists(cases, min_size=1, max_size=12), st.booleans())
    def judged(season: list[Case], accepting: bool) -> None:
        profiles: dict[str, bytes | None] = {}
        known: dict[str, bytes | None] = {}
        for case in season:
            (judgement,) = gate.judge([case], profiles, known, accept_refused=accepting)
            told: list[Any] = [[one.value, one.low, one.high] for one in judgement.reasons]
            assert all(math.isfinite(number) for numbers in told for number in numbers), judgement
            assert findings.decode(msgspec.json.encode(judgement.reasons)) == judgement.reasons
            profile = judgement.profile_if_refused or judgement.profile
            assert encode(decode_profile(profile)) == profile, "no memory is taken for damaged"
            profiles[case.user_id] = profile
            if case.context and case.context.device_id:
                known[case.context.device_id] = judgement.device
        recalled = gate.recall(season)
        assert encode(decode_profile(recalled)) == recalled

    judged()
