"""Honest people whom the agents may not punish: households, owners of a phone that somebody else
played on once, newcomers, people whose hours change. No model here was trained on any of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.memory.records import KNOWN_ACTIONS, decode_device, encode
from scoreboard.anomaly.model import Model
from scoreboard.domain.judging import Case, Judgement
from scripts.synthetic_season import DAY, HOUR, LONDON, MONDAY, PARIS, SYDNEY
from tests.unit.anomaly.players import ANY_AGE, Table, refusals

APPROVED: tuple[str, ...] = ()
SIBLINGS = ("ann", "bob", "cid")


def evening(table: Table, hour: float = 20) -> None:
    """The next day at this hour."""
    table.now += DAY - (table.now - MONDAY) % DAY + round(hour * HOUR)


@pytest.mark.parametrize("siblings", [SIBLINGS[:2], SIBLINGS], ids=["two", "three"])
def test_siblings_take_turns_on_a_tablet_for_a_month(
    table: Table, siblings: tuple[str, ...]
) -> None:
    rng = random.Random(3)
    for _ in range(30):
        evening(table)
        for _ in range(15):
            judgement = table.act(rng.choice(siblings), after=rng.uniform(40, 300), device="tablet")
            assert "device" not in judgement.refused_by, judgement.reasons


def test_siblings_may_hand_the_tablet_over_within_seconds_now_and_then(table: Table) -> None:
    for _ in range(10):
        evening(table)
        handed = [table.act(user, after=5, device="tablet") for user in SIBLINGS]
        assert all("device" not in judgement.refused_by for judgement in handed)


def test_a_fourth_account_makes_a_farm_of_a_device(table: Table) -> None:
    evening(table)
    first = [table.act(user, after=300, device="farm") for user in SIBLINGS]
    assert refusals(first) == [APPROVED] * 3
    assert table.act("dan", after=300, device="farm").refused_by == ("device",)
    again = [table.act(user, after=300, device="farm") for user in SIBLINGS]
    assert refusals(again) == [("device",)] * 3


def test_the_owner_of_a_phone_is_not_refused_for_the_guests_of_a_party(table: Table) -> None:
    table.play_evenings(6)
    evening(table)
    guests = [table.act(f"guest-{i}", after=200) for i in range(5)]
    assert guests[-1].refused_by == ("device",)
    table.play_evenings(3)


def test_a_device_that_is_handed_on_forgets_who_played_on_it(table: Table) -> None:
    for user in SIBLINGS:
        evening(table)
        table.act(user, device="tablet")
    table.now += 28 * DAY
    evening(table)
    assert table.act("dan", device="tablet").refused_by == APPROVED


def test_a_new_user_may_play_at_any_hour_anywhere_on_anything(table: Table) -> None:
    for user, (hour, place) in enumerate(
        (hour, place) for hour in (3, 6, 11, 15) for place in (LONDON, SYDNEY)
    ):
        for session in range(3):
            evening(table, hour)
            there = (place, PARIS, SYDNEY)[session]
            for after in (0, 280, 190, 330):
                judgement = table.act(
                    f"new-{user}", 2, after=after, place=there, device=f"{user}-{session}"
                )
                assert judgement.refused_by == APPROVED, judgement.reasons


def test_time_has_no_say_about_a_user_whose_habits_it_does_not_know(table: Table) -> None:
    evening(table)
    judged = [table.act(after=200 + i * 37 % 50) for i in range(KNOWN_ACTIONS + 1)]
    spoke = [judgement.scores["time"] is not None for judgement in judged]
    assert spoke == [False] * KNOWN_ACTIONS + [True]


def test_a_worker_who_changes_to_nights_is_refused_for_one_night_at_most(table: Table) -> None:
    table.play_evenings(30)
    evening(table, 6)
    assert table.act().refused_by == ("time",)
    for _ in range(5):
        evening(table, 6.5)
        assert refusals([table.act(after=200 + 30 * i) for i in range(6)]) == [APPROVED] * 6


def test_a_devices_memory_is_rebuilt_from_what_was_played_on_it(table: Table) -> None:
    played: list[Case] = []
    judge = table.gate.judge

    def record(cases: Sequence[Case], *memory: Any) -> list[Judgement]:
        played.extend(cases)
        return judge(cases, *memory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table.gate, "judge", record)
        table.play_evenings(6)
        table.act("guest", after=200)
    assert table.gate.recall_device(played) == table.devices["phone"]


def test_a_model_from_before_households_were_let_play_refuses_none(model: Model) -> None:
    device = model.agents["device"]
    strict = [
        msgspec.structs.replace(usual, limit=1e-6) if usual.name == "accounts" else usual
        for usual in device.features
    ]
    old = msgspec.structs.replace(device, features=strict)
    table = Table(Gate(msgspec.structs.replace(model, agents={"device": old}), ANY_AGE))
    turns = [table.act(user, after=300, device="tablet") for user in SIBLINGS]
    assert refusals(turns) == [APPROVED] * 3


def test_a_device_record_from_before_attempts_were_counted_is_read_as_it_is(table: Table) -> None:
    evening(table)
    for user in SIBLINGS:
        table.act(user, after=300, device="farm")
    record = decode_device(table.devices["farm"])
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(record))[:2])
    assert decode_device(old).accounts == record.accounts
    table.devices["farm"] = old
    assert table.act("dan", after=300, device="farm").refused_by == ("device",)
