"""The forms in which keys are configured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoreboard.api.auth import Authenticator
from scoreboard.api.key_texts import ANY_KEY_ID, key_texts
from scoreboard.api.token_rules import ClaimRules
from scoreboard.api.tokens import keys_from, mint
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings, load
from tests.unit.api.signed_tokens import bearing
from tests.unit.api.test_auth_keys import RSA, private_pem, public_pem

SECRET = "0123456789abcdef0123456789abcdef"
PEM = public_pem(RSA).strip()
ESCAPED = PEM.replace("\n", "\\n")


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (f"a={SECRET}", {"a": SECRET}),
        (f"# keys\n\na={SECRET}\n  # older\nb = {SECRET}==\r\n", {"a": SECRET, "b": f"{SECRET}=="}),
        (f"'a={SECRET}'", {"a": SECRET}),
        (f"""'{{"a":"{SECRET}"}}'""", {"a": SECRET}),
        (f'"a={SECRET}"', {"a": SECRET}),
        (f"a={PEM}\nb=\n{PEM}\n", {"a": PEM, "b": PEM}),
        (f"a={ESCAPED}", {"a": PEM}),
        (json.dumps({"a": PEM, "b": ESCAPED}), {"a": PEM, "b": PEM}),
        (f"{PEM}\n", {ANY_KEY_ID: PEM}),
        (ESCAPED, {ANY_KEY_ID: PEM}),
        ("", {}),
        ("# none yet", {}),
    ],
)
def test_keys_are_read_from_lines_json_and_pem(text: str, keys: dict[str, str]) -> None:
    assert key_texts(text) == keys
    assert list(key_texts(text)) == list(keys)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SECRET, "line 1 is not kid=secret"),
        (f"a={SECRET}\n\n{SECRET}", "line 3 is not"),
        (f"a={SECRET}\na={SECRET}", "line 2 has the key id of an earlier line"),
        (f"={SECRET}", "line 1"),
        ("a=", "line 1"),
        ('{"a":', "no JSON object of strings"),
        (f"{PEM}\n{PEM}", "line 1"),
    ],
)
def test_what_is_none_of_these_is_pointed_out_without_showing_it(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        key_texts(text)
    assert SECRET not in str(refusal.value)
    with pytest.raises(ConfigurationError, match="SCOREBOARD_JWT_KEYS: "):
        keys_from(Settings(jwt_keys=text))


async def test_a_file_of_lines_signs_with_the_first_and_verifies_with_all(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"new={SECRET}\nold={SECRET[::-1]}\n")
    keys = keys_from(load({"SCOREBOARD_JWT_KEYS_FILE": str(path)}))
    text = mint(keys, "HS256", subject="s", scope="admin", ttl=60)
    for known in (keys, {"new": SECRET}):
        authenticator = Authenticator(known, "HS256", ClaimRules())
        assert (await authenticator.authenticate(bearing(f"Bearer {text}"))).subject == "s"


async def test_a_single_pem_takes_tokens_whatever_key_they_name() -> None:
    signing = keys_from(Settings(jwt_keys=private_pem(RSA), jwt_algorithm="RS256"))
    verifying = keys_from(Settings(jwt_keys=PEM, jwt_algorithm="RS256"))
    for keys in (signing, {"name of the login service": private_pem(RSA)}):
        text = mint(keys, "RS256", subject="s", scope="admin", ttl=60)
        authenticator = Authenticator(verifying, "RS256", ClaimRules())
        assert (await authenticator.authenticate(bearing(f"Bearer {text}"))).subject == "s"


def test_published_keys_alone_can_not_sign() -> None:
    keys = keys_from(Settings(jwt_jwks="https://login.example/keys", jwt_algorithm="RS256"))
    with pytest.raises(ConfigurationError, match="no key to sign with"):
        mint(keys, "RS256", subject="s", scope="", ttl=60)
