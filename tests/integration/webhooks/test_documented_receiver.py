"""The receiver of docs/webhooks.md takes what the service sends, and nothing else."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from scoreboard.domain.webhook_signatures import new_secret
from scoreboard.domain.webhooks import NewWebhook
from scoreboard.settings import Settings
from tests.integration.webhooks.conftest import Outside, telling
from tests.support.webhook_receiver import Receiver

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"


def documented() -> Any:
    """The function on the page."""
    found = re.search(r"<!-- receiver -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names["verified"]


async def test_it_verifies_what_is_sent_by_either_secret_and_refuses_what_was_changed(
    near: Settings, outside: Outside, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified, former, secret = documented(), new_secret(), new_secret()
    new = NewWebhook(url=receiver.url, events=["player.erased"])
    webhook = (await outside.webhooks.add(new, former, by="eve")).id
    await outside.webhooks.rotate(webhook, secret, by="eve")
    await outside.erase("ann")
    async with telling(near):
        await outside.ended(webhook, "delivered", 1)

    (received,) = receiver.received
    headers, body = received.headers, received.body
    assert verified(secret, headers, body)
    assert verified(former, headers, body)
    assert not verified(new_secret(), headers, body)
    assert not verified(secret, headers, body.replace(b"ann", b"eve"))
    assert not verified(secret, {**headers, "webhook-id": "msg_other"}, body)
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert not verified(secret, headers, body)
