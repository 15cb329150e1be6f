"""Which user ids a board takes, so that no two of its players look alike."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Literal

IdRule = Literal["any", "nfc-visible", "ascii"]

# Controls, formats (zero width, bidirectional), surrogates, private use, unassigned, separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Of other categories, and nothing to see either: joiners, fillers, variation selectors, a blank.
_BLANK = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
# Ways to write a letter or digit that is another character already.
_FORMS = ("<wide>", "<narrow>", "<font>", "<circle>", "<super>", "<sub>", "<square>")
# Scripts with many letters that look like those of another one.
_ALIKE = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"})


def is_unseen(character: str) -> bool:
    """True for a character that leaves nothing to see on a page, or only turns what is around it:
    controls, formats, fillers, those of private use or of no use yet."""
    return unicodedata.category(character) in _UNSEEN or character in _BLANK


def id_flaw(user_id: str, rule: IdRule) -> str:
    """What the rule objects to in a user id; empty when nothing. ``any`` takes all ids, ``ascii``
    those in ASCII, ``nfc-visible`` those in the Unicode form NFC in which everything can be seen
    and nothing is an odd form of another letter or a mixture of scripts that look alike. Words of
    one script that look like words of another pass: only ``ascii`` keeps these apart."""
    if rule == "any" or (user_id.isascii() and " " not in user_id):
        return ""
    return _flaw(user_id, rule)


@lru_cache(maxsize=4096)
def _flaw(user_id: str, rule: IdRule) -> str:
    if user_id != " ".join(user_id.split()):
        return "has spaces at an end, several together, or of another kind than U+0020"
    if user_id.isascii():
        return ""
    if rule == "ascii":
        return "has other characters than those of ASCII"
    if not unicodedata.is_normalized("NFC", user_id):
        return "is not in the Unicode form NFC"
    for character in user_id:
        if is_unseen(character):
            return f"has U+{ord(character):04X}, which can't be seen"
        decomposed = unicodedata.decomposition(character)
        if unicodedata.category(character)[0] in "LN" and decomposed.startswith(_FORMS):
            return f"has U+{ord(character):04X}, which is a form of another letter or digit"
    letters = [character for character in user_id if character.isalpha()]
    scripts = _ALIKE & {unicodedata.name(letter, "").partition(" ")[0] for letter in letters}
    if len(scripts) > 1:
        return f"mixes letters that look alike: {', '.join(sorted(scripts)).title()}"
    return ""
