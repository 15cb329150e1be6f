"""The forms in which signing keys are configured: JSON, lines, or one PEM."""

from __future__ import annotations

import re

import msgspec

ANY_KEY_ID = ""  # of a single PEM, which has no id: it is tried whatever ``kid`` a token names

_entry = re.compile(
    r"""(?P<key_id>[^\s=\#][^\s=]*) [ \t]*=\s*?
        (?P<key> \s*-----BEGIN\ (?P<kind>[A-Z ]+)-----.*?-----END\ (?P=kind)----- | [^\s][^\n]* )
        [ \t]*(?:\n|$)""",
    re.VERBOSE | re.DOTALL,
)
_skipped = re.compile(r"[ \t]*(\#[^\n]*)?(\n|$)")


def key_texts(text: str) -> dict[str, str]:
    """Secrets and PEM texts by key id, in order: of a JSON object, of lines ``kid=secret`` (blank
    ones and those with # are skipped; a PEM may follow the ``=``, in lines of its own), or of a PEM
    alone, whose id is ANY_KEY_ID. Quotes around the whole are dropped, as env files keep them.
    Raises ValueError; its text shows nothing of a key."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if text.startswith("-----BEGIN") and text.count("-----BEGIN") == 1:
        return {ANY_KEY_ID: _lines(text)}
    return _of_json(text) if text.startswith("{") else _of_lines(text)


def _of_json(text: str) -> dict[str, str]:
    try:
        keys = msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeError):
        raise ValueError('no JSON object of strings, {"key id": "secret or PEM"}') from None
    return {key_id: _lines(key) for key_id, key in keys.items()}


def _of_lines(text: str) -> dict[str, str]:
    keys: dict[str, str] = {}
    at = 0
    while at < len(text):
        if (skipped := _skipped.match(text, at)) and skipped.end() > at:
            at = skipped.end()
            continue
        line = text.count("\n", 0, at) + 1
        if not (found := _entry.match(text, at)):
            raise ValueError(
                f"line {line} is not kid=secret (nor is the whole a PEM or a JSON object)"
            )
        if found["key_id"] in keys:
            raise ValueError(f"line {line} has the key id of an earlier line")
        keys[found["key_id"]] = _lines(found["key"].strip())
        at = found.end()
    return keys


def _lines(key: str) -> str:
    r"""A PEM whose line breaks are written ``\n``, as one line of an env file has them, as it was
    meant; other keys as they are."""
    return key.replace("\\n", "\n") if key.startswith("-----BEGIN") else key
