"""How the gate decides, folds and explains, whatever the agents look at."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.anomaly.gate import RULE, Gate
from scoreboard.anomaly.memory.learning import fold
from scoreboard.anomaly.memory.records import decode_profile
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.actions import ActionContext
from scoreboard.domain.judging import Case
from scripts.synthetic_season import DAY, HOUR, MONDAY, context, season
from tests.unit.anomaly.players import ANY_AGE, Table, refusals

NOW = MONDAY + 60 * DAY + 20 * HOUR


def case(points: int = 2, at: int = NOW, received: int | None = None, user: str = "ann") -> Case:
    where = context(device=f"phone of {user}")
    return Case(user, points, at, at if received is None else received, where)


def test_a_gate_without_a_model_learns_and_keeps_only_the_hard_rules() -> None:
    gate = Gate(None)
    burst = [case(points=10**6, at=NOW + 100 * i) for i in range(50)]
    assert not any(refusals(gate.judge(burst, {}, {})))
    (late,) = gate.judge([case(at=NOW + HOUR, received=NOW)], {}, {})
    assert late.refused_by == ("time",)


def test_an_action_from_the_future_or_from_long_ago_is_refused_by_the_time_agent(
    model: Model,
) -> None:
    gate = Gate(model, GateRules(max_ahead_ms=60_000, max_age_ms=HOUR))
    cases = [
        case(at=NOW + 60_000, received=NOW),
        case(at=NOW + 60_001, received=NOW, user="bob"),
        case(at=NOW - HOUR, received=NOW, user="cid"),
        case(at=NOW - HOUR - 1, received=NOW, user="dan"),
    ]
    assert refusals(gate.judge(cases, {}, {})) == [(), ("time",), (), ("time",)]


def test_a_replay_of_history_is_possible_where_the_rules_allow_it(model: Model) -> None:
    (judgement,) = Gate(model, ANY_AGE).judge([case(at=NOW, received=NOW + 9 * DAY)], {}, {})
    assert judgement.refused_by == ()


def test_a_wrong_clock_teaches_the_profile_nothing(model: Model) -> None:
    before = fold(None, case())
    (judgement,) = Gate(model).judge([case(at=NOW + DAY, received=NOW)], {"ann": before}, {})
    assert judgement.profile == before
    assert judgement.profile_if_refused is None


def test_points_outside_the_range_of_training_are_refused_exactly(model: Model) -> None:
    gate = Gate(model, ANY_AGE)
    cases = [case(points=p, user=f"user-{p}") for p in (0, 1, 3, 4, -(2**31) + 1, 2**31 - 1)]
    behavior = ("behavior",)
    expected = [behavior, (), (), behavior, behavior, behavior]
    assert refusals(gate.judge(cases, {}, {})) == expected


def test_a_batch_is_judged_as_its_actions_would_be_one_by_one(model: Model) -> None:
    gate = Gate(model, ANY_AGE)
    cases = season(players=12, days=4, seed=5)
    cases += [case(at=cases[-1].at_ms + 1_500 * i) for i in range(1, 12)]
    table = Table(gate)
    one_by_one = []
    for each in cases:
        (judgement,) = gate.judge([each], table.profiles, table.devices)
        one_by_one.append(judgement)
        table.profiles[each.user_id] = judgement.profile_if_refused or judgement.profile
        assert each.context is not None
        table.devices[each.context.device_id or ""] = judgement.device
    together = gate.judge(cases, {}, {})
    assert any(refusals(together))
    assert refusals(together) == refusals(one_by_one)
    assert [j.profile for j in together] == [j.profile for j in one_by_one]
    assert [j.device for j in together] == [j.device for j in one_by_one]


def test_answers_that_need_no_scores_are_the_same(model: Model) -> None:
    cases = season(players=12, days=4, seed=5)
    cases += [case(at=cases[-1].at_ms + 1_500 * i) for i in range(1, 12)]
    cases += [case(points=50, at=cases[-1].at_ms + HOUR), case(at=cases[-1].at_ms + 2 * HOUR)]
    strict = {
        name: msgspec.structs.replace(agent, threshold=0.85 * agent.threshold)
        for name, agent in model.agents.items()
    }
    gate = Gate(msgspec.structs.replace(model, agents=strict), ANY_AGE)
    scored = gate.judge(cases, {}, {})
    unscored = gate.judge(cases, {}, {}, scored=False)
    assert {len(judgement.reasons) for judgement in scored} > {0, 1, 2}
    assert unscored == [msgspec.structs.replace(judgement, scores={}) for judgement in scored]


def test_a_refused_action_is_not_learned_from_unless_the_mode_counts_it(model: Model) -> None:
    gate = Gate(model, ANY_AGE)
    cases = [case(), case(points=50, at=NOW + 200_000), case(at=NOW + 400_000)]
    _, refused, after = gate.judge(cases, {}, {})
    assert refused.refused_by == ("behavior",)
    assert decode_profile(after.profile).actions == 2
    *_, counted = gate.judge(cases, {}, {}, accept_refused=True)
    assert decode_profile(counted.profile).actions == 3


def test_a_refusal_says_what_was_seen_and_what_is_usual(model: Model) -> None:
    gate = Gate(model, ANY_AGE)
    *_, last = gate.judge([case(at=NOW + 1_000 * i) for i in range(6)], {}, {})
    (gap,) = [reason for reason in last.reasons if reason.feature == "gap"]
    assert (gap.agent, gap.value, gap.unit) == ("behavior", 1.0, "s")
    assert gap.low > 1.0


def test_the_highest_suspicion_refuses_and_says_why_like_any_other(model: Model) -> None:
    low = {
        name: msgspec.structs.replace(agent, threshold=0.05) for name, agent in model.agents.items()
    }
    gate = Gate(msgspec.structs.replace(model, agents=low), ANY_AGE)
    (judgement,) = gate.judge([case()], {}, {})
    high = {name for name, score in judgement.scores.items() if score and score > RULE}
    assert {"device", "behavior"} <= high
    assert {reason.agent for reason in judgement.reasons} == set(judgement.refused_by) == high
    assert all(reason.text for reason in judgement.reasons)


def test_agents_without_their_inputs_abstain(model: Model) -> None:
    bare = Case("ann", 2, NOW, NOW)
    (judgement,) = Gate(model, ANY_AGE).judge([bare], {}, {})
    assert judgement.scores["location"] is None
    assert judgement.scores["device"] is None
    assert judgement.scores["behavior"] is not None
    assert judgement.device is None


actions = st.builds(
    Case,
    user_id=st.sampled_from(["ann", "bob"]),
    points=st.integers(-(2**31) + 1, 2**31 - 1) | st.integers(1, 3),
    at_ms=st.integers(0, 2**44) | st.integers(NOW, NOW + 300_000),
    received_ms=st.just(NOW),
    context=st.none()
    | st.builds(
        ActionContext,
        latitude=st.none() | st.floats(-90, 90),
        longitude=st.none() | st.floats(-180, 180),
        country=st.none() | st.sampled_from(["FR", "GB", "AU"]),
        device_id=st.none() | st.text("abc", min_size=1, max_size=2),
        user_agent=st.none() | st.text(min_size=1, max_size=512),
    ),
)


@settings(max_examples=50, deadline=None)
@given(cases=st.lists(actions, max_size=10), flag=st.booleans())
def test_whatever_comes_is_judged_and_remembered_in_little(
    model: Model, cases: list[Case], flag: bool
) -> None:
    rules = GateRules(max_ahead_ms=2**45, max_age_ms=None)
    for judgement in Gate(model, rules).judge(cases, {}, {}, accept_refused=flag):
        assert len(judgement.profile) < 1_024
        assert bool(judgement.refused_by) == bool(judgement.reasons)
        assert {reason.agent for reason in judgement.reasons} == set(judgement.refused_by)
        high = {name for name, score in judgement.scores.items() if score and score > 1.0}
        assert high == set(judgement.refused_by)
