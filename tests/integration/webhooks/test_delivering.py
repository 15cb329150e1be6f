"""Deliveries: at least once, each webhook at its own pace, whatever its receiver does."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.background import end
from scoreboard.domain.profiles import Profile, pseudonym
from scoreboard.domain.webhook_signatures import new_secret, signatures
from scoreboard.domain.webhook_targets import WebhookTargets
from scoreboard.domain.webhooks import DueDelivery, NewWebhook
from scoreboard.local.embedded_servers import free_port
from scoreboard.pg.outside_events import OutsideEvents
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.settings import Settings
from scoreboard.webhooks import deliverer, sender
from scoreboard.webhooks.deliverer import Deliverer
from scoreboard.webhooks.sender import Sender
from scoreboard.webhooks.shown_players import ShownPlayers
from tests.integration.webhooks.conftest import NETWORK, Outside, telling
from tests.support.in_between import listening
from tests.support.own_authority import contexts
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Receiver, receiving


def impatient(pool: asyncpg.Pool) -> Deliverer:
    """Gives a receiver a moment."""
    sender = Sender(WebhookTargets(NETWORK), timeout=0.2)
    return Deliverer(OutsideEvents(pool), ShownPlayers(StoredProfiles(pool)), sender)


async def test_an_event_arrives_signed_and_its_body_is_kept_no_longer(
    near: Settings, outside: Outside, receiver: Receiver, database: asyncpg.Connection
) -> None:
    secret = new_secret()
    new = NewWebhook(url=receiver.url, events=["player.erased"])
    webhook = (await outside.webhooks.add(new, secret, by="eve")).id
    await outside.erase("ann")
    async with telling(near):
        await outside.ended(webhook, "delivered", 1)

    (received,) = receiver.received
    assert received.event["type"] == "player.erased"
    assert received.event["data"] == {"userId": "ann", "mode": "erase", "erasure": "e1"}
    headers = received.headers
    assert headers["content-type"] == "application/json"
    assert headers["webhook-signature"] == signatures(
        secret,
        None,
        message=received.id,
        timestamp=int(headers["webhook-timestamp"]),
        body=received.body,
    )
    (delivery,) = await outside.deliveries(webhook)
    assert (delivery.message, delivery.attempts, delivery.failure) == (received.id, 1, None)
    assert await database.fetchval("SELECT body FROM outside_event") is None


async def test_players_stand_in_messages_as_readers_see_them_unless_real_ids_are_asked_for(
    near: Settings, outside: Outside, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    profiles = StoredProfiles(pool)
    await profiles.put("ann", Profile(visibility="anonymous", display_name="Ann"))
    await profiles.put("bob", Profile(visibility="hidden"))
    top = [{"userId": user, "score": score} for user, score in (("ann", 9), ("bob", 7), ("cy", 5))]
    told: dict[str, dict[str, Any]] = {
        "occurrence.closed": {"board": "arena", "period": "week", "topScores": top},
        "top.changed": {"board": "arena", "topScores": top},
        "review.opened": {"board": "arena", "userId": "bob", "kind": "flagged"},
        "player.erased": {"userId": "ann", "mode": "erase"},
    }
    shown = await outside.add(receiver.url, *told, boards=["arena"])  # type: ignore[arg-type]
    for kind, data in told.items():
        await outside.database.execute(
            "SELECT tell_outsiders($1, 'arena', $2)", kind, json.dumps(data)
        )
    async with telling(near):
        await outside.ended(shown, "delivered", len(told))
        secret = await profiles.secret()
        ann, bob = (pseudonym(secret, "arena", user) for user in ("ann", "bob"))
        listed = [{"userId": ann, "score": 9}, {"userId": "cy", "score": 5}]
        assert {one.event["type"]: one.event["data"] for one in receiver.received} == {
            "occurrence.closed": told["occurrence.closed"] | {"topScores": listed},
            "top.changed": told["top.changed"] | {"topScores": listed},
            "review.opened": told["review.opened"] | {"userId": bob},
            "player.erased": told["player.erased"],
        }
        receiver.received.clear()

        real = await outside.add(receiver.url, "top.changed", boards=["arena"], real_ids=True)
        await outside.webhooks.remove(shown, by="eve")
        await outside.database.execute(
            "SELECT tell_outsiders('top.changed', 'arena', $1)", json.dumps(told["top.changed"])
        )
        await outside.ended(real, "delivered", 1)
    assert [one.event["data"] for one in receiver.received] == [told["top.changed"]]


async def test_after_a_rotation_both_secrets_sign_and_the_former_one_only_for_a_day(
    near: Settings, outside: Outside, receiver: Receiver, database: asyncpg.Connection
) -> None:
    webhook = await outside.add(receiver.url)
    former = await database.fetchval("SELECT secret FROM webhook")
    secret = new_secret()
    await outside.webhooks.rotate(webhook, secret, by="eve")

    async with telling(near):
        await outside.erase("ann")
        await outside.ended(webhook, "delivered", 1)
        await database.execute("UPDATE webhook SET former_until = now()")
        await outside.erase("bob")
        await outside.ended(webhook, "delivered", 2)
    for received, also in zip(receiver.received, (former, None), strict=True):
        assert received.headers["webhook-signature"] == signatures(
            secret,
            also,
            message=received.id,
            timestamp=int(received.headers["webhook-timestamp"]),
            body=received.body,
        )


async def test_a_receiver_that_was_away_gets_every_event_when_it_is_back(
    near: Settings, outside: Outside, receiver: Receiver
) -> None:
    webhook = await outside.add(receiver.url)
    with capture_logs() as logs:
        async with telling(near):
            async with receiver.away():
                await outside.erase(*(f"user{n}" for n in range(20)))
                assert await outside.failing(webhook) == "no connection"

            async def all_arrived() -> bool:
                await outside.let_pauses_pass()
                return len(await outside.deliveries(webhook, "delivered")) == 20

            await wait_until(all_arrived, description="all deliveries arrive", interval=0.1)
    assert len(set(receiver.ids)) == 20
    assert (await outside.webhooks.get(webhook)).failing_since is None
    events = [entry["event"] for entry in logs]
    assert (events.count("webhook_fails"), events.count("webhook_recovered")) == (1, 1)


async def test_an_event_that_was_refused_comes_again_with_the_same_id_and_body(
    near: Settings, outside: Outside, receiver: Receiver
) -> None:
    webhook = await outside.add(receiver.url)
    receiver.manner = "fails"
    await outside.erase("ann")
    async with telling(near):
        assert await outside.failing(webhook) == "answered 500"
        receiver.manner = "takes"

        async def arrived() -> bool:
            await outside.let_pauses_pass()
            return bool(await outside.deliveries(webhook, "delivered"))

        await wait_until(arrived, description="the delivery arrives", interval=0.05)
    assert len(receiver.received) >= 2
    assert len({(one.id, one.body) for one in receiver.received}) == 1


async def test_a_receiver_that_never_answers_is_given_up_and_asked_again(
    pool: asyncpg.Pool, near: Settings, outside: Outside, receiver: Receiver
) -> None:
    webhook = await outside.add(receiver.url)
    receiver.manner = "holds"
    await outside.erase("ann")
    delivering = impatient(pool)
    delivering.wake()
    task = asyncio.create_task(delivering.run())
    assert await outside.failing(webhook) == "no answer within 0.2 s"
    await end(task)
    (delivery,) = await outside.deliveries(webhook)
    assert (delivery.state, delivery.failure) == ("waiting", "no answer within 0.2 s")
    assert delivery.due is not None


async def test_an_answer_without_end_is_not_read(
    near: Settings, outside: Outside, receiver: Receiver
) -> None:
    webhook = await outside.add(receiver.url)
    receiver.manner = "floods"
    await outside.erase("ann")
    async with telling(near):
        await outside.ended(webhook, "delivered", 1)
        await wait_until(lambda: receiver.hung_up == 1, description="the sender hangs up")


async def test_a_redirect_into_a_private_network_is_not_followed(
    near: Settings, outside: Outside, receiver: Receiver
) -> None:
    async with receiving("127.0.0.2") as inside:
        webhook = await outside.add(receiver.url)
        receiver.manner, receiver.elsewhere = "redirects", inside.url
        await outside.erase("ann")
        async with telling(near):
            failure = await outside.failing(webhook)
        assert failure == "answered 307; redirects are not followed"
        assert inside.received == []


class _Broken:
    async def send(self, due: DueDelivery) -> str:
        raise RuntimeError("nobody thought of this")


async def test_a_fault_of_the_service_is_a_failure_like_any_other(
    pool: asyncpg.Pool, near: Settings, outside: Outside
) -> None:
    webhook = await outside.add("https://example.com")
    await outside.erase("ann")
    delivering = Deliverer(OutsideEvents(pool), ShownPlayers(StoredProfiles(pool)), _Broken())
    delivering.wake()
    task = asyncio.create_task(delivering.run())
    assert await outside.failing(webhook) == "a fault of the service, of which its log tells"
    await end(task)


async def test_receivers_that_are_slow_or_dead_hold_up_no_other(
    near: Settings, outside: Outside, receiver: Receiver
) -> None:
    async with receiving() as slow, receiving() as dead, dead.away():
        slow.manner = "holds"
        for url in (slow.url, dead.url):
            await outside.add(url)
        webhook = await outside.add(receiver.url)
        await outside.erase(*(f"user{n}" for n in range(40)))
        async with telling(near):
            await outside.ended(webhook, "delivered", 40)
        assert slow.most_at_once <= deliverer.AT_ONCE
        assert len(set(receiver.ids)) == 40


async def test_a_receiver_that_fails_is_asked_one_thing_at_a_time(
    near: Settings, outside: Outside, receiver: Receiver, database: asyncpg.Connection
) -> None:
    webhook = await outside.add(receiver.url)
    await database.execute("UPDATE webhook SET failing_since = now()")
    receiver.manner = "holds"
    await outside.erase("ann", "bob", "cid")
    async with telling(near):
        await wait_until(lambda: receiver.received, description="an attempt is under way")
        # Others would have been taken on by the same statement.
        assert sorted(one.attempts for one in await outside.deliveries(webhook)) == [0, 0, 1]


async def test_processes_share_the_work_without_doubling_it(
    near: Settings, outside: Outside, receiver: Receiver
) -> None:
    webhook = await outside.add(receiver.url)
    await outside.erase(*(f"user{n}" for n in range(60)))
    async with telling(near), telling(near), telling(near):
        await outside.ended(webhook, "delivered", 60)
    assert set(Counter(receiver.ids).values()) == {1}
    assert len(receiver.received) == 60


async def test_what_a_process_took_on_and_did_not_end_comes_again_after_its_lease(
    near: Settings, outside: Outside, receiver: Receiver
) -> None:
    webhook = await outside.add(receiver.url)
    receiver.manner = "holds"
    await outside.erase("ann")
    async with telling(near):
        await wait_until(lambda: receiver.received, description="the first attempt")
    receiver.manner = "takes"
    (delivery,) = await outside.deliveries(webhook, "waiting")
    assert delivery.due is not None
    left = (delivery.due - delivery.created).total_seconds()
    assert left >= deliverer.LEASE > sender.TIMEOUT
    await outside.let_pauses_pass()
    async with telling(near):
        await outside.ended(webhook, "delivered", 1)
    assert receiver.ids == [delivery.message] * 2


async def test_after_a_day_a_delivery_is_dead_until_it_is_sent_again(
    near: Settings, outside: Outside, receiver: Receiver, database: asyncpg.Connection
) -> None:
    webhook = await outside.add(receiver.url)
    receiver.manner = "fails"
    await outside.erase("ann")
    await database.execute("UPDATE outside_event SET since = now() - interval '1 day'")
    with capture_logs() as logs:
        async with telling(near):
            await outside.ended(webhook, "dead", 1)
            receiver.manner = "takes"
            (dead,) = await outside.deliveries(webhook)
            assert (dead.due, dead.failure) == (None, "answered 500")
            assert dead.ended is not None
            assert await outside.webhooks.retry(webhook, ["msg_" + "0" * 32], by="eve") == 0
            assert await outside.webhooks.retry(webhook, [dead.message], by="eve") == 1
            await outside.ended(webhook, "delivered", 1)
            assert await outside.webhooks.retry(webhook, None, by="eve") == 0
    assert receiver.ids == [dead.message] * 2
    (told,) = [entry for entry in logs if entry["event"] == "webhook_delivery_dead"]
    assert told["remedy"] == f"scoreboard webhooks retry {webhook}"


async def test_the_last_attempt_comes_when_a_day_is_over(
    outside: Outside, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    webhook = await outside.add("https://example.com")
    await outside.erase("ann")
    await database.execute("UPDATE outside_event SET since = now() - interval '23.9 hours'")
    record = OutsideEvents(pool)
    (due,) = await record.take({}, at_once=4, lease=60)
    assert await record.failed(due, "no connection", pause=3_600) == (False, True)
    (delivery,) = await outside.deliveries(webhook)
    assert await database.fetchval("SELECT due = since + interval '1 day' FROM outside_event")
    assert (delivery.state, delivery.attempts) == ("waiting", 1)


async def test_what_was_put_off_while_a_clock_was_ahead_is_due_when_it_is_set_right(
    near: Settings, outside: Outside, receiver: Receiver, database: asyncpg.Connection
) -> None:
    webhook = await outside.add(receiver.url)
    await outside.erase("ann")
    await outside.erase("bob")
    await database.execute("UPDATE outside_event SET due = now() + interval '3 days'")
    async with telling(near):
        await outside.ended(webhook, "delivered", 2)


async def test_a_process_that_comes_late_does_not_undo_what_another_did(
    outside: Outside, pool: asyncpg.Pool
) -> None:
    webhook = await outside.add("https://example.com")
    await outside.erase("ann")
    record = OutsideEvents(pool)
    (first,) = await record.take({}, at_once=4, lease=0)
    (second,) = await record.take({}, at_once=4, lease=60)
    assert (first.message, first.attempts, second.attempts) == (second.message, 1, 2)
    await record.failed(first, "no connection", pause=0)
    assert (await outside.deliveries(webhook))[0].failure is None
    await record.delivered(second)
    await record.failed(second, "no connection", pause=0)
    assert (await outside.deliveries(webhook))[0].state == "delivered"


async def test_a_webhook_that_was_removed_is_told_nothing_more(
    near: Settings, outside: Outside, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    webhook = await outside.add(receiver.url)
    await outside.erase("ann", "bob")
    await outside.webhooks.remove(webhook, by="eve")
    other = await outside.add(receiver.url)
    await outside.erase("cid")
    async with telling(near):
        await outside.ended(other, "delivered", 1)
    assert [one.event["data"]["userId"] for one in receiver.received] == ["cid"]
    await OutsideEvents(pool).tidy()
    assert await outside.database.fetchval("SELECT count(*) FROM outside_event") == 1


async def test_no_more_is_kept_than_is_said(
    outside: Outside,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scoreboard.pg.outside_events.KEPT_DELIVERED", 3)
    monkeypatch.setattr("scoreboard.pg.outside_events.KEPT_UNDELIVERED", 4)
    webhook, other = [await outside.add("https://example.com") for _ in range(2)]
    await outside.erase(*(f"user{n}" for n in range(20)))
    mine = "FROM outside_event WHERE webhook = $1 ORDER BY id"
    await database.execute(
        f"UPDATE outside_event SET state = 'delivered', ended = now(), body = NULL"
        f" WHERE id IN (SELECT id {mine} LIMIT 10)",
        webhook,
    )
    await database.execute(
        f"UPDATE outside_event SET state = 'dead', ended = now()"
        f" WHERE id IN (SELECT id {mine} OFFSET 10 LIMIT 7)",
        webhook,
    )
    assert await OutsideEvents(pool).tidy() == 20 - 4  # of the other one
    for state, count in (("delivered", 3), ("dead", 1), ("waiting", 3)):
        assert len(await outside.deliveries(webhook, state)) == count
    assert len(await outside.deliveries(other)) == 4

    await database.execute("UPDATE outside_event SET ended = ended - interval '8 days'")
    assert await OutsideEvents(pool).tidy() == 0
    assert len(await outside.deliveries(webhook, "delivered")) == 0
    assert len(await outside.deliveries(webhook, "dead")) == 1
    await database.execute("UPDATE outside_event SET ended = ended - interval '30 days'")
    await OutsideEvents(pool).tidy()
    assert len(await outside.deliveries(webhook, "dead")) == 0
    assert len(await outside.deliveries(webhook)) == 3


async def test_no_log_line_tells_a_url_a_secret_or_a_body(
    near: Settings, outside: Outside, receiver: Receiver, database: asyncpg.Connection
) -> None:
    webhook = await outside.add(receiver.url + "/T0K3N?key=T0K3N")
    secret = await database.fetchval("SELECT secret FROM webhook")
    await outside.erase("ann-the-erased")
    await database.execute("UPDATE outside_event SET since = now() - interval '1 day'")
    with capture_logs() as logs:
        async with telling(near):
            await outside.ended(webhook, "dead", 1)
    text = json.dumps(logs, default=str)
    assert "webhook_delivery_dead" in text
    assert not any(part in text for part in ("T0K3N", secret, "ann-the-erased", "hooks/"))


class Names:
    """Where names lead: at each lookup the next list of addresses, the last one for good."""

    def __init__(self, *addresses: list[str]) -> None:
        self.asked = 0
        self._addresses = addresses
        self._all = socket.getaddrinfo

    def look_up(self, host: str, port: int, **more: Any) -> list[Any]:
        if not host.endswith(".example"):
            return self._all(host, port, **more)
        found = self._addresses[min(self.asked, len(self._addresses) - 1)]
        self.asked += 1
        return [(2, 1, 6, "", (address, port)) for address in found]


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Any:
    def lead(*addresses: list[str]) -> Names:
        names = Names(*addresses)
        monkeypatch.setattr(socket, "getaddrinfo", names.look_up)
        return names

    return lead


async def attempt(
    outside: Outside,
    pool: asyncpg.Pool,
    url: str,
    networks: str,
    encryption: ssl.SSLContext | None = None,
) -> str:
    """What one attempt meets."""
    webhook = await outside.add(url)
    await outside.erase("ann")
    (due,) = await OutsideEvents(pool).take({}, at_once=4, lease=60)
    await outside.webhooks.remove(webhook, by="eve")
    return await Sender(WebhookTargets(networks), encryption=encryption).send(due)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_leads_into_a_private_network_is_not_followed(
    outside: Outside, pool: asyncpg.Pool, receiver: Receiver, named: Any, scheme: str
) -> None:
    named(["127.0.0.1"])
    url = f"{scheme}://public.example:{receiver.port}/hooks"
    failure = await attempt(outside, pool, url, "10.0.0.0/8")
    assert failure == "the host's address is not allowed"
    assert receiver.received == []


async def test_a_name_is_looked_up_once_an_attempt_and_that_address_is_connected_to(
    outside: Outside, pool: asyncpg.Pool, named: Any
) -> None:
    async with receiving("127.0.0.2") as inside:
        inside_port = free_port()  # which nobody has at the other address either
        await inside.stop()
        inside.port = inside_port
        await inside.start()
        names = named(["127.0.0.1"], ["127.0.0.2"])
        url = f"http://rebinding.example:{inside.port}/hooks"
        assert await attempt(outside, pool, url, "127.0.0.1") == "no connection"
        assert names.asked == 1
        assert inside.received == []


async def test_of_several_addresses_only_those_that_are_allowed_are_tried(
    outside: Outside, pool: asyncpg.Pool, receiver: Receiver, named: Any
) -> None:
    async with receiving("127.0.0.2") as inside:
        named(["127.0.0.2", "127.0.0.1"])
        inside_port, receiver_port = inside.port, receiver.port
        await inside.stop()
        inside.port = receiver_port  # the same port at both addresses
        await inside.start()
        assert inside_port != receiver_port
        url = f"http://twofold.example:{receiver.port}/hooks"
        assert await attempt(outside, pool, url, "127.0.0.1") == ""
        assert (len(receiver.received), len(inside.received)) == (1, 0)


async def test_a_receiver_proves_by_its_certificate_that_it_has_the_name(
    outside: Outside, pool: asyncpg.Pool, named: Any, tmp_path: Path
) -> None:
    own, trusting = contexts("hooks.example", tmp_path)
    async with receiving(encryption=own) as receiver:
        named(["127.0.0.1"])
        for host, encryption, failure in (
            ("hooks.example", trusting, ""),
            ("other.example", trusting, "no trusted connection (TLS)"),
            ("hooks.example", None, "no trusted connection (TLS)"),
        ):
            url = f"https://{host}:{receiver.port}/hooks"
            assert await attempt(outside, pool, url, NETWORK, encryption) == failure
        assert len(receiver.received) == 1


async def test_an_address_that_was_allowed_once_is_checked_at_every_attempt(
    outside: Outside, pool: asyncpg.Pool, receiver: Receiver
) -> None:
    failure = await attempt(outside, pool, receiver.url, "10.0.0.0/8")
    assert failure == "the host's address is not allowed"
    assert receiver.received == []


async def test_a_name_that_nobody_knows_and_what_is_no_http_are_failures(
    outside: Outside, pool: asyncpg.Pool
) -> None:
    url = "http://no-such-host.invalid/"
    assert await attempt(outside, pool, url, NETWORK) == "the host's name is not known"

    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"+OK ready\r\n")

    async with listening(chatter) as port:
        url = f"http://127.0.0.1:{port}/"
        assert await attempt(outside, pool, url, NETWORK) == "no valid answer"
