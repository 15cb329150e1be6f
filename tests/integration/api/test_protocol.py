"""HTTP itself: methods, unknown paths, heads, slow and broken senders."""

from __future__ import annotations

import gzip
import json
import re
from itertools import product

from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}


def sample(path: str) -> str:
    """A path with a value for each of its parameters."""
    return re.sub(r"\{\w+\}", "1", path)


async def test_other_methods_are_refused_with_those_that_are_allowed(api: Api) -> None:
    for path, operations in api.description.document["paths"].items():
        allowed = {method.upper() for method in operations}
        if "GET" in allowed:
            allowed.add("HEAD")
        for method in METHODS - allowed:
            answer = await api.call(method, sample(path))
            assert answer.status == 405, (method, path)
            assert set(answer.headers["Allow"].split(",")) == allowed


UNKNOWN_PATHS = (
    *("/api", "/api/", "/api/score/", "/api/scores/top", "/api/boards/global/", "/nowhere"),
    *("/api/boards//top", "/api/boards/global/players", "/api/boards/global/users//around"),
    *("/API/score/top", "//", "/static/", "/.env", "/static/..%2F..%2Fapp.py"),
    *("/%0A", "/api/score%0D%0AX", "/api/boards/global%0A/players"),
)


async def test_an_unknown_path_is_a_problem_too(api: Api) -> None:
    for case in product(("GET", "POST", "DELETE"), UNKNOWN_PATHS):
        method, path = case
        if path.startswith("/static/..") and method != "GET":
            continue
        assert (await api.call(method, path)).outcome == (404, "not_found"), case


async def test_options_of_the_whole_server_are_a_problem_too(api: Api) -> None:
    raw = await api.connect()
    await raw.send(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    status, problem = await raw.answer()

    assert (status, problem["code"]) == (404, "not_found")


async def test_a_head_is_a_get_without_its_body(api: Api) -> None:
    await api.score("ann", 15)
    for path in ("/api/score/top", "/api/boards/global/users/ann", "/healthz"):
        got = await api.get(path)
        head = await api.call("HEAD", path)

        assert (head.status, head.body) == (200, b""), path
        for name in ("Content-Length", "Content-Type", "ETag"):
            assert head.headers.get(name) == got.headers.get(name), path


def post_head(api: Api, length: int, further: str = "") -> bytes:
    return (
        f"POST /api/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{further}"
        f"Authorization: Bearer {api.service.token()}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def test_a_body_that_does_not_come_in_time_is_given_up(start_api: StartApi) -> None:
    api = await start_api(body_timeout=0.2)
    slow = await api.connect()
    await slow.send(post_head(api, 44) + b'{"userId":')
    status, problem = await slow.answer()

    assert (status, problem["code"]) == (400, "invalid_request")
    slow.close()
    assert (await api.score("ann", 1)).status == 200


async def test_a_body_in_pieces_is_put_together(api: Api) -> None:
    body = b'{"userId":"ann","actionId":"a1","points":15}'
    raw = await api.connect()
    await raw.send(post_head(api, len(body)))
    for byte in body:
        await raw.send(bytes([byte]))

    status, answer = await raw.answer()
    assert (status, answer["score"]) == (200, 15)


async def test_a_sender_that_asks_first_is_told_to_go_on(api: Api) -> None:
    body = b'{"userId":"ann","actionId":"a1","points":15}'
    raw = await api.connect()
    await raw.send(post_head(api, len(body), "Expect: 100-continue\r\n"))
    assert await raw.line() == b"HTTP/1.1 100 Continue\r\n"
    assert await raw.line() == b"\r\n"
    await raw.send(body)

    assert (await raw.answer())[1]["score"] == 15


async def test_an_expectation_that_can_not_be_met_is_a_problem(api: Api) -> None:
    raw = await api.connect()
    await raw.send(post_head(api, 0, "Expect: a miracle\r\n"))
    status, problem = await raw.answer()

    assert (status, problem["status"], problem["code"]) == (417, 417, "expectation_failed")
    assert problem["type"] == "urn:scoreboard:problem:expectation_failed"


async def test_a_client_that_leaves_in_the_middle_disturbs_nobody(api: Api) -> None:
    raw = await api.connect()
    await raw.send(post_head(api, 44) + b'{"userId":')
    raw.close()

    assert (await api.score("ann", 1)).status == 200
    assert await api.top() == {"ann": 1}


async def test_requests_sent_ahead_are_answered_in_order(api: Api) -> None:
    raw = await api.connect()
    bodies = [
        json.dumps({"userId": "ann", "actionId": f"a{n}", "points": 1}).encode() for n in range(5)
    ]
    await raw.send(b"".join(post_head(api, len(body)) + body for body in bodies))

    assert [(await raw.answer())[1]["score"] for _ in bodies] == [1, 2, 3, 4, 5]


async def test_a_body_that_is_not_in_the_coding_it_names_is_refused(api: Api) -> None:
    body = b'{"userId":"ann","actionId":"a1","points":15}'
    for coding in ("gzip", "deflate"):
        answer = await api.post("/api/score", body, Content_Encoding=coding)

        assert answer.outcome == (400, "invalid_request"), coding


async def test_a_compressed_body_is_measured_by_what_it_unfolds_to(start_api: StartApi) -> None:
    api = await start_api(max_body_bytes=4096)
    body = b'{"userId":"ann","actionId":"a1","points":15}'
    small = await api.post("/api/score", gzip.compress(body), Content_Encoding="gzip")
    bomb = await api.post("/api/score", gzip.compress(b" " * 10**7), Content_Encoding="gzip")

    assert small.outcome == (200, None)
    assert bomb.outcome == (413, "payload_too_large")
