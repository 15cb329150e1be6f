"""What a webhook may be, how it is signed, and how long it waits."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from scoreboard.domain.flaws import FieldFlaw
from scoreboard.domain.webhook_signatures import new_secret, signatures
from scoreboard.domain.webhooks import DueDelivery, NewWebhook, longest_pause

# What the library standardwebhooks (1.1.0, PyPI) gives for these.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def asked(**given: Any) -> NewWebhook:
    return msgspec.convert(
        {"url": "https://example.com", "events": ["review.opened"], **given}, NewWebhook
    )


def test_a_signature_is_the_one_that_receivers_libraries_expect() -> None:
    assert signatures(SECRET, None, message=MESSAGE, timestamp=TIMESTAMP, body=BODY) == SIGNATURE


def test_while_two_secrets_are_valid_both_sign() -> None:
    other = new_secret()
    both = signatures(other, SECRET, message=MESSAGE, timestamp=TIMESTAMP, body=BODY)
    assert both.split(" ")[1] == SIGNATURE
    assert both.split(" ")[0] not in ("", SIGNATURE)


def test_secrets_have_32_bytes_and_never_come_twice() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {32}


def test_the_body_is_the_same_at_each_attempt() -> None:
    due = DueDelivery(
        id=1, webhook=1, url="", secret="", former=None, real_ids=False, message="msg_1",
        created=datetime(2026, 11, 27, 1, 2, 3, 456789, UTC), event="review.opened",
        data=b'{"a": 1}', attempts=1, taken=datetime(2026, 11, 27, 1, 2, 4, 0, UTC),
    )  # fmt: skip
    later = msgspec.structs.replace(due, attempts=7)
    assert due.body == later.body
    assert msgspec.json.decode(due.body) == {
        "type": "review.opened",
        "timestamp": "2026-11-27T01:02:03.456789Z",
        "data": {"a": 1},
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"events": ["review.opened", "review.opened"]}, "events"),
        ({"boards": ["arena", "arena"]}, "boards"),
        ({"events": ["top.changed"]}, "boards"),
    ],
)
def test_a_flaw_names_its_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        asked(**given)
    assert isinstance(raised.value.__cause__, FieldFlaw)
    assert raised.value.__cause__.field == field


@pytest.mark.parametrize(
    "given",
    [
        {"events": []},
        {"events": ["score.changed"]},
        {"boards": []},
        {"boards": ["No Board"]},
        {"boards": [f"b{n}" for n in range(51)]},
        {"interval": 0},
        {"interval": 86_401},
        {"description": "two\nlines"},
        {"secret": "mine"},
    ],
)
def test_what_is_out_of_bounds_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        asked(**given)


def test_pauses_double_from_five_seconds_to_an_hour() -> None:
    assert [longest_pause(n) for n in range(1, 5)] == [5, 10, 20, 40]
    assert longest_pause(12) == longest_pause(2_000_000_000) == 3_600
