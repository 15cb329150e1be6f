"""What of a body is read, and whose failure it is when it does not come whole."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import msgspec
import pytest
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from scoreboard.api.bodies import MODERATION, ONE_ACTION, USER_LIST, Bodies, decode
from scoreboard.domain.actions import ScoreAction, UserList
from scoreboard.domain.periods import Periods
from scoreboard.errors import InvalidRequest, PayloadTooLarge, Unavailable, UnsupportedMediaType
from tests.support.waiting import wait_until

JSON = {"Content-Type": "application/json"}
LONGEST = "\U0001f600"  # twelve bytes when it is escaped


def post(**headers: str) -> tuple[web.Request, StreamReader]:
    """A request and its body, of which nothing has come."""
    body = StreamReader(Mock(), 2**16, loop=asyncio.get_running_loop())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("POST", "/", JSON | named, payload=body), body


def bodies(*, most: int = 10_000, timeout: float = 600, budget: int = 1_000_000) -> Bodies:
    return Bodies(most=most, timeout=timeout, budget=budget)


async def test_a_client_that_leaves_before_the_end_of_its_body_is_no_failure_of_the_service() -> (
    None
):
    request, body = post()
    body.feed_data(b'{"userId":')
    body.set_exception(ConnectionResetError("Connection lost"))

    with pytest.raises(InvalidRequest, match="left before the end"):
        await bodies().read(request)


async def test_a_body_is_refused_before_it_comes_when_its_length_is_too_much() -> None:
    request, _ = post(Content_Length="101")
    with pytest.raises(PayloadTooLarge, match="100 bytes"):
        await bodies(most=100).read(request)

    request, _ = post(Content_Length="101")
    with pytest.raises(PayloadTooLarge, match="100 bytes"):
        await bodies().read(request, most=100)


async def test_a_body_of_unknown_length_is_refused_where_it_becomes_too_long() -> None:
    request, body = post()
    body.feed_data(b"x" * 101)
    with pytest.raises(PayloadTooLarge):
        await bodies(most=100).read(request)

    request, body = post()
    body.feed_data(b"x" * 101)
    body.feed_eof()
    with pytest.raises(PayloadTooLarge):
        await bodies(most=100).read(request)


async def test_when_bodies_are_too_much_together_the_oldest_is_given_up() -> None:
    reading = bodies(budget=100)
    (slow, slow_body), (quick, quick_body) = post(), post()
    slow_body.feed_data(b"x" * 60)
    first = asyncio.create_task(reading.read(slow))
    await wait_until(lambda: reading._budget._held == 60, description="the first is held")
    quick_body.feed_data(b"y" * 60)
    with capture_logs():
        second = asyncio.create_task(reading.read(quick))
        with pytest.raises(Unavailable) as refused:
            await first
    quick_body.feed_data(b"y")
    quick_body.feed_eof()

    assert refused.value.retry_after is not None
    assert await second == b"y" * 61
    assert reading._budget._held == 0


async def test_a_body_that_is_more_than_all_may_have_is_given_up_itself() -> None:
    request, body = post()
    body.feed_data(b"x" * 101)
    reading = bodies(budget=100)
    with pytest.raises(Unavailable), capture_logs():
        await reading.read(request)

    assert reading._budget._held == 0


async def test_a_small_body_that_comes_byte_by_byte_is_read_once_it_is_whole() -> None:
    request, body = post(Content_Length="5")
    reading = bodies()
    read = asyncio.create_task(reading.read(request))
    await wait_until(lambda: reading._budget._held == 5, description="room is kept for all of it")
    for byte in b"[1,2]":
        body.feed_data(bytes([byte]))
    body.feed_eof()

    assert await read == b"[1,2]"
    assert reading._budget._held == 0


async def test_a_small_body_that_is_malformed_or_given_up_is_not_waited_for() -> None:
    request, body = post(Content_Length="5")
    body.set_exception(web.RequestPayloadError("malformed"))
    with pytest.raises(InvalidRequest):
        await bodies().read(request)

    (first, _), (second, body) = post(Content_Length="60"), post(Content_Length="60")
    reading = bodies(budget=100)
    early = asyncio.create_task(reading.read(first))
    with capture_logs():
        late = asyncio.create_task(reading.read(second))
        with pytest.raises(Unavailable):
            await early
    body.feed_data(b"x" * 60)
    body.feed_eof()
    assert await late == b"x" * 60


async def test_a_body_that_came_with_its_head_needs_no_room() -> None:
    request, body = post()
    body.feed_data(b"x" * 101)
    body.feed_eof()

    assert await bodies(budget=100).read(request) == b"x" * 101


@pytest.mark.parametrize("coding", ["br", "gzip, deflate", "x-unheard-of"])
async def test_an_unknown_coding_is_refused_with_the_known_ones(coding: str) -> None:
    request, _ = post(Content_Encoding=coding)
    with pytest.raises(UnsupportedMediaType) as refused:
        await bodies().read(request)

    assert refused.value.headers == {"Accept-Encoding": "gzip, deflate"}


def longest(length: int) -> str:
    return LONGEST * length


def json_text(value: object) -> bytes:
    """JSON in which every character that can be is escaped."""
    return msgspec.json.encode(value).decode().replace(LONGEST, "\\ud83d\\ude00").encode()


def test_the_largest_legal_bodies_fit() -> None:
    action = {
        "userId": longest(128),
        "actionId": longest(128),
        "points": -2_147_483_647,
        "context": {
            "occurredAt": "2026-01-31T18:00:00.000000000+00:00",
            "ip": "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
            "latitude": -89.12345678901234,
            "longitude": -179.12345678901234,
            "country": "FR",
            "deviceId": longest(128),
            "userAgent": longest(512),
            "actionType": longest(128),
        },
    }
    users = {"userIds": [longest(128)] * 500}
    reason = {"reason": longest(500), "revertEarlier": True, "hideUser": True}

    assert decode(msgspec.json.Decoder(ScoreAction), json_text(action)).points < 0
    assert len(decode(msgspec.json.Decoder(UserList), json_text(users)).user_ids) == 500
    assert len(json_text(action)) < ONE_ACTION
    assert len(json_text(users)) < USER_LIST
    assert len(json_text(reason)) < MODERATION


@pytest.mark.parametrize("points", ["1904.0", "1904.000", "19.04e2", "1904", "1.904E+3"])
def test_an_integer_is_what_json_schema_calls_one(points: str) -> None:
    body = f'{{"userId":"ann","actionId":"k1","points":{points}}}'.encode()

    assert decode(msgspec.json.Decoder(ScoreAction), body).points == 1904


@pytest.mark.parametrize(
    "points",
    [
        *("1904.5", "1e-1", "2147483648.0", "1e400", "1e1000000000", "0.99999999999999999999"),
        *("0e9999999999999999999", "1e-9999999999999999999"),  # too much for Decimal as well
    ],
)
def test_any_other_number_is_refused_by_its_path(points: str) -> None:
    body = f'{{"userId":"ann","actionId":"k1","points":{points}}}'.encode()

    with pytest.raises(InvalidRequest) as refused:
        decode(msgspec.json.Decoder(ScoreAction), body, "actions[3]")
    assert refused.value.extra["path"] == "actions[3].points"


@pytest.mark.parametrize(
    "rest",
    [b"", b",", b',"userId":}', b',"userId":"\xff"}', b',"userId":"\\ud800"}', b',"userId":"\0"}'],
)
@pytest.mark.parametrize("points", [b"1904", b"1904.0", b"1904.5"])
def test_what_is_no_json_behind_a_number_is_refused_however_the_number_is_written(
    points: bytes, rest: bytes
) -> None:
    with pytest.raises(InvalidRequest, match="Not valid JSON"):
        decode(msgspec.json.Decoder(ScoreAction), b'{"points":' + points + rest)


class Season(msgspec.Struct):
    """A body with something in it that checks several of its fields together."""

    periods: Periods


def test_a_thing_whose_fields_do_not_go_together_is_refused_by_the_path_of_one() -> None:
    sound = b'{"name":"day","cron":"0 0 * * *"}'
    decoder = msgspec.json.Decoder(Season)

    with pytest.raises(InvalidRequest, match=r"'0 25 .*' is not a cron expression") as caught:
        decode(decoder, b'{"periods":[%b,{"name":"x","cron":"0 25 * * *"}]}' % sound)
    assert caught.value.extra["path"] == "periods[1].cron"

    with pytest.raises(InvalidRequest, match="needs `cron`") as caught:
        decode(decoder, b'{"periods":[%b,{"name":"x","grace":1.0}]}' % sound, "rules")
    assert caught.value.extra["path"] == "rules.periods[1]"
