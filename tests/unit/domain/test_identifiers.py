"""Which user ids a board takes under each rule."""

from __future__ import annotations

import pytest

from scoreboard.domain.identifiers import id_flaw

VISIBLE = [
    "ann", "Ann O'Neil", "user-1@example.com", "auth0|5f7c", "josé", "Łukasz", "müller", "王小明",
    "さくら", "カ", "иван", "Ολυμπία", "محمد", "דוד", "สมชาย", "ทำ", "नरेश", "한국",
    "🎮", "player🎮1", "Ðiện", "٣٤", "naïve",
]  # fmt: skip

UNSEEN = [
    "ann\u200b", "a\u200dnn", "\u2066ann", "ann\u202e", "\ufeffann", "a\u00adnn", "ann\u2060",
    "ann\u034f", "\u3164", "a\u115fnn", "ann\u180e", "❤\ufe0f", "ann\U000e0101", "ann\U000e0041",
    "\u2800", "ann\ue000", "ann\u0378", "ann\u2028", "ann\u061c",
]  # fmt: skip
CONFUSABLE = [
    "e\u0301", "jose\u0301", "ａｎｎ", "𝐚𝐧𝐧", "①nn", "aⁿn", "ᴬnn", "ｶ", "\u212bngstrom",
    "p\u0430ypal", "\u0391nn", "ann\u0578",
]  # fmt: skip
SPACED = ["ann ", " ann", "an  n", " ", "an\u00a0n", "an\u3000n", "an\u2003n"]


@pytest.mark.parametrize("user", VISIBLE)
def test_names_of_all_scripts_are_taken_when_all_of_them_can_be_seen(user: str) -> None:
    assert id_flaw(user, "nfc-visible") == ""


@pytest.mark.parametrize("user", [*UNSEEN, *CONFUSABLE, *SPACED], ids=ascii)
def test_what_looks_like_another_id_is_not(user: str) -> None:
    assert id_flaw(user, "nfc-visible") != ""
    assert id_flaw(user, "ascii") != ""
    assert id_flaw(user, "any") == ""


def test_the_rule_ascii_takes_ascii() -> None:
    assert [user for user in VISIBLE if not id_flaw(user, "ascii")] == VISIBLE[:4]


def test_a_flaw_names_the_character_and_never_shows_it() -> None:
    assert id_flaw("ann\u202e", "nfc-visible") == "has U+202E, which can't be seen"
    assert id_flaw("p\u0430ypal", "nfc-visible").endswith("Cyrillic, Latin")
    assert all(id_flaw(user, "nfc-visible").isascii() for user in [*UNSEEN, *CONFUSABLE])
