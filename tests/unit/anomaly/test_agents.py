"""Each agent on hand-made cases. Ann plays ones and twos from 20:00 on, from London, on a phone."""

from __future__ import annotations

from scripts.synthetic_season import DAY, HOUR, LONDON, MONDAY, PARIS, SYDNEY
from tests.unit.anomaly.players import Table, Where, refusals

APPROVED: tuple[str, ...] = ()


def test_time_refuses_play_at_an_hour_at_which_nobody_ever_plays(table: Table) -> None:
    table.play_evenings(30)
    table.now += DAY - (table.now - MONDAY) % DAY + 6 * HOUR
    assert "time" in table.act().refused_by


def test_time_approves_a_user_who_comes_an_hour_early_or_after_a_month(table: Table) -> None:
    table.play_evenings(12)
    table.now += DAY - (table.now - MONDAY) % DAY + 19 * HOUR
    assert table.act().refused_by == APPROVED
    table.now += 30 * DAY
    assert table.act().refused_by == APPROVED


def test_location_refuses_a_journey_faster_than_an_airliner(table: Table) -> None:
    table.play_evenings(6)
    assert "location" in table.act(after=1_200, place=SYDNEY).refused_by


def test_location_approves_what_was_played_elsewhere_before_the_trip_and_arrives_late(
    table: Table,
) -> None:
    table.play_evenings(6)
    assert table.act(after=86_400, place=SYDNEY).refused_by == APPROVED
    for _ in range(2):
        assert table.act(after=-82_800, place=LONDON).refused_by == APPROVED
        assert table.act(after=83_100, place=SYDNEY).refused_by == APPROVED
    assert "location" in table.act(after=-1_200, place=LONDON).refused_by


def test_location_approves_a_first_trip_at_a_plausible_speed(table: Table) -> None:
    table.play_evenings(6)
    assert table.act(after=86_400, place=SYDNEY).refused_by == APPROVED
    assert table.act(after=86_400, place=PARIS).refused_by == APPROVED


def test_location_refuses_a_new_device_at_a_new_place_and_goes_on_doing_so(table: Table) -> None:
    table.play_evenings(12)
    thief: Where = {"place": SYDNEY, "device": "burner"}
    table.now += DAY
    taken_over = [table.act(after=200, **thief) for _ in range(6)]
    assert all("location" in judgement.refused_by for judgement in taken_over)
    assert table.act(after=90_000, place=LONDON).refused_by == APPROVED


def test_a_first_trip_with_a_new_phone_is_refused_only_at_an_hour_new_to_the_user(
    table: Table,
) -> None:
    def next_day(hour: int) -> None:
        table.now += DAY - (table.now - MONDAY) % DAY + hour * HOUR

    def in_paris(user: str) -> tuple[str, ...]:
        return table.act(user, place=PARIS, device=f"new phone of {user}").refused_by

    for user in ("ann", "bob", "eve"):
        table.play_evenings(9, user, device=f"phone of {user}")
        table.now -= 9 * DAY
    table.now += 9 * DAY
    for _ in range(2):  # an hour that was refused is an ordinary one after a day
        next_day(6)
        table.act("eve", device="phone of eve")
    next_day(20)
    assert in_paris("ann") == APPROVED
    next_day(6)
    assert "location" in in_paris("bob")
    assert in_paris("eve") == APPROVED


def test_a_refused_device_is_an_ordinary_one_after_a_day(table: Table) -> None:
    table.play_evenings(12)
    table.now += DAY
    assert table.act(place=SYDNEY, device="new-phone").refused_by == ("location",)
    assert table.act(after=86_400 + 60, place=SYDNEY, device="new-phone").refused_by == APPROVED


def test_device_approves_a_first_new_phone_at_home(table: Table) -> None:
    table.play_evenings(12)
    table.now += DAY
    assert table.act(device="new-phone").refused_by == APPROVED


def test_device_refuses_the_accounts_of_a_farm(table: Table) -> None:
    accounts = [table.act(f"account-{i}", after=300, place=None, device="farm") for i in range(10)]
    assert all("device" in judgement.refused_by for judgement in accounts[3:])


def test_device_refuses_known_users_of_a_new_device_that_others_use_far_away(table: Table) -> None:
    for user in ("ann", "bob"):
        table.play_evenings(6, user, device=f"phone of {user}")
        table.now -= 6 * DAY
    table.now += 7 * DAY
    assert table.act("stranger", place=SYDNEY, device="farm").refused_by == APPROVED
    assert table.act("ann", device="farm").refused_by == ("device",)
    (reason,) = table.act("ann", after=300, device="farm").reasons
    assert (reason.feature, round(reason.value, -3), reason.high) == ("elsewhere", 17_000, 500.0)
    assert table.act("newcomer", after=300, device="farm").refused_by == APPROVED
    table.act("seller", place=SYDNEY, device="old phone")
    table.now += 4 * DAY
    assert table.act("bob", device="old phone").refused_by == APPROVED


def test_device_approves_a_guest_on_a_phone_that_is_somebodys_own(table: Table) -> None:
    table.play_evenings(6, "ann", device="phone of ann")
    table.now -= 6 * DAY
    table.play_evenings(6, "owner", place=PARIS, device="phone of the owner")
    table.play_evenings(1, "child", place=PARIS, device="new tablet")
    assert table.act("owner", after=300, place=PARIS, device="new tablet").refused_by == APPROVED
    assert "device" not in table.act("ann", place=SYDNEY, device="phone of the owner").refused_by


def test_device_refuses_two_accounts_that_go_on_taking_turns_within_seconds(table: Table) -> None:
    turns = [table.act(("ann", "bob")[i % 2], after=11, device="shared") for i in range(24)]
    assert all("device" in judgement.refused_by for judgement in turns[7:])


def test_behavior_refuses_a_burst_from_its_second_action_on(table: Table) -> None:
    table.play_evenings(6)
    burst = [table.act(after=1.5) for _ in range(15)]
    assert all("behavior" in judgement.refused_by for judgement in burst)


def test_behavior_refuses_a_metronome_and_keeps_refusing_it(table: Table) -> None:
    table.play_evenings(6)
    ticks = [table.act(after=60.0) for _ in range(30)]
    assert all("behavior" in judgement.refused_by for judgement in ticks[4:])


def test_behavior_approves_two_actions_close_together(table: Table) -> None:
    table.play_evenings(6)
    assert refusals([table.act(after=300), table.act(after=25)]) == [APPROVED, APPROVED]


def test_behavior_refuses_a_run_of_points_that_the_user_never_makes(table: Table) -> None:
    table.play_evenings(12)
    table.now += DAY
    threes = [table.act(points=3, after=300) for _ in range(6)]
    assert threes[0].refused_by == APPROVED
    assert threes[-1].refused_by == ("behavior",)


def test_a_new_user_is_not_refused_for_being_new(table: Table) -> None:
    for user in range(50):
        table.now += DAY - (table.now - MONDAY) % DAY + 20 * HOUR
        first = [
            table.act(f"new-{user}", 1 + i % 3, after=150 + 37 * i, device=f"phone-{user}")
            for i in range(10)
        ]
        assert refusals(first) == [APPROVED] * 10
