"""The agents' memory: small, bounded, rebuilt by folding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from scoreboard.anomaly.memory.devices import note_account
from scoreboard.anomaly.memory.learning import fold
from scoreboard.anomaly.memory.records import (
    DEVICE_FORMAT,
    PROFILE_FORMAT,
    DeviceRecord,
    decode_device,
    decode_profile,
    encode,
)
from scoreboard.domain.judging import Case, Judgement
from scripts.synthetic_season import DAY, LONDON, MONDAY, context
from tests.unit.anomaly.players import Table


def test_a_profile_stays_under_a_kilobyte_whatever_the_user_does() -> None:
    payload = None
    for i in range(3_000):
        at = MONDAY + i * DAY // 7
        place = (i * 7 % 170 - 85.0, i * 13 % 350 - 175.0, f"{chr(65 + i % 26)}{chr(65 + i % 7)}")
        where = context(place, f"device-{i}", f"agent-{i}")
        payload = fold(payload, Case("ann", (i * 7919) % 2**31, at, at, where))
    assert payload is not None
    assert len(payload) < 1_024


def test_a_device_record_stays_bounded_however_many_accounts_it_sees() -> None:
    record = DeviceRecord()
    for i in range(500):
        note_account(record, Case(f"user-{i}", 1, MONDAY + i, MONDAY + i, context()))
    assert len(encode(record)) < 512


def test_folding_the_ledger_rebuilds_the_profile_that_the_gate_kept(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.play_evenings(5)
    rebuilt, kept = None, table.profiles["ann"]
    table.profiles.clear()
    replayed = Table(table.gate)
    log: list[Case] = []
    judge = replayed.gate.judge

    def record(cases: Sequence[Case], *memory: Any) -> list[Judgement]:
        log.extend(cases)
        return judge(cases, *memory)

    monkeypatch.setattr(replayed.gate, "judge", record)
    replayed.play_evenings(5)
    for case in log:
        rebuilt = fold(rebuilt, case)
    assert rebuilt == kept


def test_a_payload_of_another_format_or_damaged_reads_as_no_memory() -> None:
    payload = fold(None, Case("ann", 2, MONDAY, MONDAY, context(LONDON)))
    other = decode_profile(payload)
    other.format = PROFILE_FORMAT + 1
    short = decode_profile(payload)
    short.hours = short.hours[1:]
    no_text = payload.replace(b"GB", b"G\xff")
    assert no_text != payload
    for strange in (encode(other), encode(short), no_text, payload[:-1], b"", b"\xc1", None):
        assert decode_profile(strange).actions == 0
    record = DeviceRecord()
    note_account(record, Case("ann", 2, MONDAY, MONDAY, context()))
    assert decode_device(encode(record)).accounts == record.accounts
    record.format = DEVICE_FORMAT + 1
    assert decode_device(encode(record)).accounts == []
