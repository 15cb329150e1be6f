"""What a profile may hold."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoreboard.domain.countries import COUNTRIES
from scoreboard.domain.flaws import FieldFlaw
from scoreboard.domain.identifiers import is_unseen
from scoreboard.domain.profiles import MAX_METADATA, MAX_NAME, Profile

_decoder = msgspec.json.Decoder(Profile)


def flawed_field(body: str) -> str:
    """The field that the body is refused for."""
    with pytest.raises(msgspec.ValidationError) as refused:
        _decoder.decode(body)
    assert isinstance(refused.value.__cause__, FieldFlaw), refused.value
    return refused.value.__cause__.field


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Ada \n", "Ada"),
        ("Ame\u0301lie", "Amélie"),
        ("Ада Лавлейс", "Ада Лавлейс"),
        ("עדה", "עדה"),
        ("نورة", "نورة"),
        ("小林", "小林"),
        ("\U0001f680 Ada", "\U0001f680 Ada"),
        ("<b>&amp;", "<b>&amp;"),
        ("x" * MAX_NAME, "x" * MAX_NAME),
    ],
)
def test_a_name_is_trimmed_and_composed_and_else_kept_as_it_is(given: str, kept: str) -> None:
    assert Profile(display_name=given).display_name == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * (MAX_NAME + 1),
        "a\u0000b",
        "a\tb",
        "a\u007fb",
        "a\u200bb",
        "a\u200db",
        "a\u2060b",
        "\ufeffa",
        "a\u00adb",
        "\u202eadA",
        "a\u202ab",
        "a\u2066b",
        "a\u200fb",
        "a\u061cb",
        "\u3164",
        "\u2800",
        "a\u00a0b",
        "a\u3000b",
        "a\u2028b",
        "a\ufe0f",
        "\ue000",
        "a" + "\u0316" * 5,
        "\u0301a",
    ],
)
def test_a_name_that_can_not_be_seen_or_disturbs_what_is_around_it_is_refused(name: str) -> None:
    assert flawed_field(msgspec.json.encode({"displayName": name}).decode()) == "displayName"


@given(st.text(max_size=60))
def test_whatever_name_is_taken_can_be_seen_whole(text: str) -> None:
    try:
        name = Profile(display_name=text).display_name
    except FieldFlaw:
        return
    assert name is not None
    assert 1 <= len(name) <= MAX_NAME
    assert name == name.strip() == unicodedata.normalize("NFC", name)
    assert not any(is_unseen(character) for character in name)
    assert "\n" not in name
    assert all(c == " " or not c.isspace() for c in name)


@pytest.mark.parametrize(
    "address",
    [
        "https://img.example.org",
        "https://img.example.org:8443/a/b.png?size=64&v=2#top",
        "https://[2001:db8::1]/a.png",
        "https://192.0.2.7/a%20b.png",
    ],
)
def test_an_avatar_is_an_https_address(address: str) -> None:
    assert Profile(avatar_url=address).avatar_url == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://img.example.org/a.png",
        "//img.example.org/a.png",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "https://",
        "https:///a.png",
        "https://user:secret@img.example.org/a.png",
        "https://img.example.org/a b.png",
        'https://img.example.org/a"onload=x',
        "https://img.example.org/<script>",
        "https://img.example.org/ä.png",
        "https://bücher.example/a.png",
        "https://img.example.org\\a.png",
        "https://img.example.org/a.png\n",
    ],
)
def test_anything_else_is_no_avatar(address: str) -> None:
    assert flawed_field(msgspec.json.encode({"avatarUrl": address}).decode()) == "avatarUrl"


def test_an_avatar_has_at_most_512_bytes() -> None:
    address = "https://a.example/".ljust(512, "x")
    assert Profile(avatar_url=address).avatar_url == address
    with pytest.raises(msgspec.ValidationError, match="avatarUrl"):
        _decoder.decode(msgspec.json.encode({"avatarUrl": address + "x"}))


def test_a_country_is_one_of_the_codes_in_force() -> None:
    assert len(COUNTRIES) == 249
    assert Profile(country="FR").country == "FR"
    for code in ("XX", "fr", "UK", "AN", "EU"):
        assert flawed_field(f'{{"country":"{code}"}}') == "country"


def test_metadata_is_kept_to_the_last_space() -> None:
    text = '{ "level" : 1.50, "level": 2, "é":"\\u00e9", "big": 123456789012345678901234567890}'
    profile = _decoder.decode(f'{{"metadata":{text}}}')
    assert isinstance(profile.metadata, msgspec.Raw)
    assert bytes(profile.metadata) == text.encode()


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        '"text"',
        "1",
        "null",
        '{"a":"%s"}' % ("x" * MAX_METADATA),
        '{{"a":{}1{}}}'.format("[" * 16, "]" * 16),
        '{{"a":{}1{}}}'.format("[" * 400, "]" * 400),
    ],
)
def test_metadata_is_a_small_object(metadata: str) -> None:
    assert flawed_field(f'{{"metadata":{metadata}}}') == "metadata"


def test_metadata_may_have_exactly_a_kilobyte() -> None:
    text = '{"a":"%s"}' % ("x" * (MAX_METADATA - 8))
    assert len(text) == MAX_METADATA
    assert _decoder.decode(f'{{"metadata":{text}}}').metadata is not msgspec.UNSET
