"""Cursors: any place comes back as it was, and nothing else is taken for one."""

from __future__ import annotations

import base64
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.api.paging import AFTER, MAX_CURSOR, cursor, place_of, sealed_cursor
from scoreboard.domain.boards import MAX_TOTAL
from scoreboard.domain.stamps import EPOCH_MS, LAST_MS, stamp
from scoreboard.domain.standings import Place
from scoreboard.errors import InvalidRequest

places = st.builds(
    Place,
    st.just("after"),
    st.builds(stamp, st.integers(-MAX_TOTAL, MAX_TOTAL), st.integers(EPOCH_MS, LAST_MS)),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128),
)


def secret() -> bytes:
    return b"what only this installation knows"


def no_secret() -> bytes:
    raise AssertionError("a cursor that is not sealed needs no secret")


@settings(max_examples=300, derandomize=True, deadline=None)
@given(places)
def test_a_place_comes_back_from_its_cursor_to_the_last_bit(place: Place) -> None:
    text = cursor(place)
    assert re.fullmatch(AFTER.schema["pattern"], text)
    assert len(text) <= MAX_CURSOR
    assert place_of({AFTER.name: text}, no_secret) == place


@settings(max_examples=300, derandomize=True, deadline=None)
@given(places)
def test_a_sealed_place_comes_back_too_and_does_not_tell_whose_it_is(place: Place) -> None:
    text = sealed_cursor(place, secret())
    assert re.fullmatch(AFTER.schema["pattern"], text)
    assert len(text) <= MAX_CURSOR
    assert text == sealed_cursor(place, secret())
    assert place_of({AFTER.name: text}, secret) == place
    with pytest.raises(InvalidRequest):
        place_of({AFTER.name: text}, lambda: b"what another one knows")


@settings(max_examples=100, derandomize=True, deadline=None)
@given(places, st.binary(min_size=1, max_size=8), st.integers(0, 600))
def test_a_sealed_place_that_was_meddled_with_is_refused(
    place: Place, noise: bytes, at: int
) -> None:
    sealed = base64.urlsafe_b64decode(sealed_cursor(place, secret()) + "===")
    at = 1 + at % (len(sealed) - 1)
    meddled = sealed[:at] + noise + sealed[at + len(noise) :]
    text = base64.urlsafe_b64encode(meddled).rstrip(b"=").decode()
    if meddled != sealed:
        with pytest.raises(InvalidRequest):
            place_of({AFTER.name: text}, secret)


def packed(version: int, zset_score: float, user: bytes) -> str:
    raw = struct.pack(">Bd", version, zset_score) + user
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


GOOD = packed(1, 5.25, b"ann")


def test_the_good_one_is_good() -> None:
    assert place_of({"after": GOOD}, no_secret) == Place("after", 5.25, "ann")


WRONG = {
    "empty": "",
    "no text in base64": "!!!",
    "half of one": GOOD[: len(GOOD) // 2],
    "with padding": packed(1, 5.25, b"anna") + "==",
    "with a space": GOOD + " ",
    "of base64's other alphabet": "//" + GOOD[2:],
    "beyond ASCII": GOOD + "é",
    "with bits that mean nothing": packed(1, 5.25, b"anna")[:-1] + "R",
    "of another version": packed(2, 5.25, b"ann"),
    "no number": packed(1, float("nan"), b"ann"),
    "endless": packed(1, float("inf"), b"ann"),
    "out of range": packed(1, 2.0**51, b"ann"),
    "no stamp": packed(1, 5.75, b"ann"),
    "of no user": packed(1, 5.25, b""),
    "of a user who is no text": packed(1, 5.25, b"\xff"),
    "of a user with a control": packed(1, 5.25, b"a\x00"),
    "of too long a user": packed(1, 5.25, b"a" * 129),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_cursor_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        place_of({"after": text}, secret)
    assert refused.value.extra["path"] == "after"


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"after": GOOD, "rank": "1"}, "rank"),
        ({"after": GOOD, "minScore": "1"}, "minScore"),
        ({"minScore": "1", "rank": "1"}, "rank"),
        ({"after": GOOD, "minScore": "1", "rank": "1"}, "rank"),
    ],
)
def test_a_page_begins_at_one_place(query: dict[str, str], path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        place_of(query, no_secret)
    assert refused.value.extra["path"] == path
