"""What operators write down is what browsers send, or is refused."""

from __future__ import annotations

import pytest

from scoreboard.domain.web_names import host_of, origin_of


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://www.example.org", "https://www.example.org"),
        ("https://www.example.org/", "https://www.example.org"),
        ("HTTPS://Www.Example.org:443", "https://www.example.org"),
        ("http://localhost:80/", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("self", "self"),
        ("null", "null"),
    ],
)
def test_an_origin_is_what_browsers_send(written: str, sent: str) -> None:
    assert origin_of(written) == sent


@pytest.mark.parametrize(
    "written",
    [
        *("*", "www.example.org", "https://*.example.org", "https://www.example.org/game"),
        *("https://", "//www.example.org", "https://me@example.org", "https://bücher.example"),
        "https://a.example https://b.example",
    ],
)
def test_what_no_browser_sends_is_no_origin(written: str) -> None:
    with pytest.raises(ValueError, match="is no Origin"):
        origin_of(written)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("www.example.org", "www.example.org"),
        ("Www.Example.org.", "www.example.org"),
        ("www.example.org:8080", "www.example.org"),
        ("https://www.example.org/", "www.example.org"),
        ("my_machine", "my_machine"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("http://[2001:db8::1]:8080", "2001:db8::1"),
    ],
)
def test_a_host_is_a_name_alone(written: str, sent: str) -> None:
    assert host_of(written) == sent


@pytest.mark.parametrize("written", ["*", "*.example.org", "a b", "www.example.org/game", ":80"])
def test_what_names_no_host_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no host's name"):
        host_of(written)
