"""What is not HTTP, or not as the RFCs have it, byte for byte: 9110 (semantics), 9112 (HTTP/1.1),
6455 (WebSocket)."""

from __future__ import annotations

import json
import random
import time

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from scoreboard.api.edge import http_connection
from scoreboard.telemetry import sparing_log
from scoreboard.telemetry.sparing_log import SparingLog
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.edge.lines_about_clients import about_clients
from tests.support.named_case import named

TOKEN = b"eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
PATH = b"/healthz"
UPGRADE = (
    b"%b /ws/leaderboard HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: %b\r\n\r\n"
)


def malformed() -> float:
    return REGISTRY.get_sample_value("scoreboard_malformed_requests_total") or 0.0


def get(*fields: bytes, version: bytes = b"HTTP/1.1", host: bytes = b"Host: x") -> bytes:
    return b"\r\n".join((b"GET %b %b" % (PATH, version), host, *fields, b"", b""))


def post(*fields: bytes) -> bytes:
    return b"\r\n".join((b"POST /api/score HTTP/1.1", b"Host: x", *fields, b"", b""))


NO_HTTP = {
    "a bare LF": (get(b"Authorization: Bearer %b\nX: y" % TOKEN), 400),
    "a NUL": (get(b"Authorization: Bearer %b\0" % TOKEN), 400),
    "a space before a colon": (get(b"Authorization : Bearer %b" % TOKEN), 400),
    "a folded line": (get(b" Authorization: Bearer %b" % TOKEN), 400),
    "a star": (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "nonsense": (b"nonsense\r\n\r\n", 400),
    "60,000 bytes of 0x01": (b"\x01" * 60_000, 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 400),
    "a Host with a slash": (get(host=b"Host: a/b"), 400),
    "a Host with a space": (get(host=b"Host: a b"), 400),
    "a Host with a user": (get(host=b"Host: user@a"), 400),
    "a Host with a port that is none": (get(host=b"Host: a:port"), 400),
    "no Host": (get(host=b"X: y"), 400),
    "two Hosts": (get(b"Host: y"), 400),
    "200 fields": (get(*[b"X: y"] * 200), 400),
    "a long field": (get(b"X: " + b"x" * 9_000), 431),
    "a long target": (b"GET /%b HTTP/1.1\r\n" % (b"x" * 9_000), 414),
    "HTTP/0.9": (b"GET %b\r\n\r\n" % PATH, 400),
    "HTTP/0.9, and no more": (b"GET %b\r\n" % PATH, 400),
    "HTTP/0.9 after an empty line": (b"\r\nGET %b\n" % PATH, 400),
    "a line of HTTP/0.9": (b"GET %b HTTP/0.9\r\n" % PATH, 400),
    "a line of HTTP/2.0": (b"GET %b HTTP/2.0\r\nHost: x\r\n" % PATH, 505),
    "HTTP/0.9 with a version": (get(version=b"HTTP/0.9"), 400),
    "HTTP/2.0": (get(version=b"HTTP/2.0"), 505),
    "HTTP/9.9": (get(version=b"HTTP/9.9"), 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a negative length": (post(b"Content-Length: -1"), 400),
    "a length with a sign": (post(b"Content-Length: +1"), 400),
    "a length twice in one field": (post(b"Content-Length: 1, 1"), 400),
    "two lengths": (post(b"Content-Length: 1", b"Transfer-Encoding: chunked"), 400),
    "no end of the body": (post(b"Transfer-Encoding: gzip"), 400),
    "gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked"), 501),
    "chunked 1.0": (b"POST /api/score HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "brotli": (post(b"Content-Encoding: br", b"Content-Length: 1") + b"x", 415),
}


async def test_what_is_no_http_gets_a_problem_that_echoes_nothing_and_one_short_line(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each case is to have its line, not only the first in a while.
    monkeypatch.setattr(http_connection, "sparing_log", SparingLog(__name__, period=0))
    for case, (sent, status) in NO_HTTP.items():
        with named(case):
            before = malformed()
            raw = await api.connect()
            with capture_logs() as logs:
                await raw.send(sent)
                answer = await raw.response()
                assert (answer.version, answer.status) == ("HTTP/1.1", status)
                assert answer.headers["connection"] == "close"
                assert await raw.rest() == b"", "the connection is closed"
            raw.close()

            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json["status"] == status
            assert malformed() == before + 1
            assert len(about_clients(logs)) <= 1, "the log is not theirs to fill"
            for told in (answer.body, json.dumps(about_clients(logs)).encode()):
                assert len(told) < 400
                for secret in (TOKEN, b"x" * 20, b"\\u0001", b"nonsense", b"a/b"):
                    assert secret not in told
            assert (await api.get("/healthz")).status == 200


async def test_a_first_line_that_comes_in_pieces_is_judged_when_it_is_whole(api: Api) -> None:
    for sent, status in ((get(), 200), (b"GET %b\r\n" % PATH, 400)):
        raw = await api.connect()
        for at in range(len(sent)):
            await raw.send(sent[at : at + 1])
        assert (await raw.response()).status == status
        raw.close()


async def test_who_takes_it_for_a_proxy_is_told_that_it_is_none(api: Api) -> None:
    for target in (b"/api/score/top", b"*", b"example.org:443", b"//x"):
        with named(target):
            raw = await api.connect()
            head = b"CONNECT %b HTTP/1.1\r\nHost: example.org:443\r\n\r\n" % target
            await raw.send(head + b"\x16\x03\x01")
            answer = await raw.response()
            await raw.rest()
            raw.close()

            assert (answer.status, answer.headers["allow"]) == (405, "")
            assert answer.json["code"] == "method_not_allowed"


async def test_many_malformed_requests_make_a_line_now_and_then_and_a_count(api: Api) -> None:
    before, began = malformed(), time.monotonic()
    with capture_logs() as logs:
        for _ in range(50):
            raw = await api.connect()
            await raw.send(b"GET * HTTP/1.1\r\n\r\n")
            assert (await raw.response()).status == 400
            raw.close()

    periods = (time.monotonic() - began) // sparing_log.PERIOD
    assert malformed() == before + 50
    assert len(about_clients(logs)) <= 1 + periods


async def test_whatever_comes_is_answered_with_400_or_waited_for(start_api: StartApi) -> None:
    api = await start_api(header_timeout=0.2)
    chance = random.Random(20_261_126)
    request = get(b"Authorization: Bearer " + TOKEN, b"Accept: */*")
    with capture_logs() as logs:
        for _ in range(100):
            bytes_sent = bytearray(request)
            for _ in range(chance.randint(1, 4)):
                bytes_sent[chance.randrange(len(bytes_sent))] = chance.randrange(256)
            raw = await api.connect()
            await raw.send(bytes(bytes_sent))
            assert (await raw.response()).status < 505
            raw.close()

    events = {entry["event"] for entry in about_clients(logs)}
    assert events <= {"malformed_request", "head_late"}
    assert TOKEN.decode()[:20] not in json.dumps(logs)


async def test_a_body_that_turns_out_malformed_on_the_way_is_not_waited_for(api: Api) -> None:
    raw = await api.connect()
    before = malformed()
    bearer = b"Authorization: Bearer " + api.service.token().encode()
    fields = (bearer, b"Content-Type: application/json", b"Transfer-Encoding: chunked")
    with capture_logs() as logs:
        await raw.send(post(*fields) + b"2\r\n{}\r\n")
        await raw.send(TOKEN + b"\r\n")
        answer = await raw.response()
        await raw.rest()
    raw.close()

    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert malformed() == before + 1
    assert {entry["event"] for entry in about_clients(logs)} <= {"malformed_request"}


async def test_another_version_of_websocket_is_told_which_one_is_spoken(api: Api) -> None:
    raw = await api.connect()
    await raw.send(UPGRADE % (b"GET", b"8"))
    answer = await raw.response()
    raw.close()

    assert (answer.status, answer.json["code"]) == (426, "upgrade_required")
    assert answer.headers["sec-websocket-version"] == "13"
    assert (answer.headers["upgrade"], answer.headers["connection"]) == ("websocket", "Upgrade")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: Upgrade"),
        (b"Connection: Upgrade", b"Connection: Keep-Alive, Upgrade"),
        (b"Upgrade: websocket", b"Upgrade: h2c, WebSocket"),
    ],
)
async def test_an_upgrade_is_found_in_lists_and_on_several_lines(
    before: bytes, after: bytes, api: Api
) -> None:
    assert before in UPGRADE
    raw = await api.connect()
    await raw.send(UPGRADE.replace(before, after) % (b"GET", b"13"))
    assert (await raw.response()).status == 101
    raw.close()


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
async def test_a_request_with_a_body_opens_no_websocket(field: bytes, api: Api) -> None:
    raw = await api.connect()
    await raw.send((UPGRADE % (b"GET", b"13"))[:-2] + field + b"\r\n\r\n")
    assert (await raw.response()).status == 400
    raw.close()


async def test_a_head_opens_no_websocket(api: Api) -> None:
    raw = await api.connect()
    await raw.send(UPGRADE % (b"HEAD", b"13"))
    answer = await raw.response(to_head=True)
    await raw.send(get())

    assert answer.status == 400
    assert (await raw.response()).status == 200, "the connection still speaks HTTP"


async def test_an_unknown_content_encoding_is_told_the_known_ones(api: Api) -> None:
    bearer = b"Authorization: Bearer " + api.service.token().encode()
    json_type = b"Content-Type: application/json"
    for coding in (b"compress", b"gzip, gzip", b"br"):
        with named(coding):
            raw = await api.connect()
            await raw.send(
                post(bearer, json_type, b"Content-Encoding: " + coding, b"Content-Length: 2")
                + b"{}"
            )
            answer = await raw.response()
            raw.close()

            assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
            assert answer.headers["accept-encoding"] == "gzip, deflate"


async def test_a_sender_without_a_token_is_not_told_to_go_on(api: Api) -> None:
    raw = await api.connect()
    await raw.send(post(b"Expect: 100-continue", b"Content-Length: 9"))
    answer = await raw.response()

    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    # Whether it sends the body after all is not known, so what follows can't be told apart.
    assert answer.headers["connection"] == "close"


async def test_who_says_no_more_after_a_request_gets_its_answer(api: Api) -> None:
    for requests in (1, 3):
        with named(requests):
            raw = await api.connect()
            await raw.send(get() * requests)
            raw.say_no_more()

            assert [(await raw.response()).status for _ in range(requests)] == [200] * requests
            assert await raw.rest() == b""


async def test_who_says_no_more_before_the_end_of_a_request_is_let_go(api: Api) -> None:
    for sent in (b"", b"GET / HT"):
        with named(sent):
            raw = await api.connect()
            await raw.send(sent)
            raw.say_no_more()

            assert await raw.rest() == b""


BROKEN_OFF = {
    "short of its length": (b"Content-Length: 9", b"{}"),
    "not begun": (b"Content-Length: 9", b""),
    "not asked for yet": (b"Content-Length: 9\r\nExpect: 100-continue", b""),
    "without its last chunk": (b"Transfer-Encoding: chunked", b"2\r\n{}\r\n"),
}


async def test_who_says_no_more_amid_a_body_is_told_so_behind_what_was_asked_before(
    api: Api,
) -> None:
    bearer = b"Authorization: Bearer " + api.service.token().encode()
    for case, (framing, body) in BROKEN_OFF.items():
        with named(case), capture_logs() as logs:
            raw = await api.connect()
            request = post(bearer, b"Content-Type: application/json", framing)
            await raw.send(get() + request + body)
            raw.say_no_more()

            assert (await raw.response()).status == 200
            rest = (await raw.rest()).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert rest.startswith(b"HTTP/1.1 400 ")
            assert b"The client left before the end of the body." in rest
            events = {entry["event"] for entry in logs}
            assert not events & {"malformed_request", "request_failed", "connection_failed"}


ALL_KINDS = (
    *("/", "/docs", "/healthz", "/metrics", "/openapi.json", "/nowhere", "/static/app.js"),
    *("/api/score/top", "/api/boards/global/users/nobody"),
)


async def test_every_answer_says_to_browsers_what_it_is_and_to_nobody_which_versions_run(
    api: Api,
) -> None:
    for path in ALL_KINDS:
        answer = await api.get(path)

        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Server"] == "scoreboard", path


async def test_answers_outside_the_handlers_say_the_same(api: Api) -> None:
    for sent in (b"nonsense\r\n\r\n", post(b"Expect: a miracle", b"Content-Length: 0")):
        raw = await api.connect()
        await raw.send(sent)
        headers = (await raw.response()).headers
        raw.close()

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["server"] == "scoreboard"
