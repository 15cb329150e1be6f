"""What an action may look like, and how a malformed one is told."""

from __future__ import annotations

import json
from itertools import product
from typing import Any
from urllib.parse import quote

from tests.integration.api.described_api import Api

ACTION = {"userId": "ann", "actionId": "a1", "points": 15}


def with_points(text: str) -> bytes:
    return b'{"userId":"ann","actionId":"a1","points":%b}' % text.encode()


async def test_points_are_whole_numbers_up_to_2_to_the_31st(api: Api) -> None:
    for points in (2**31 - 1, -(2**31) + 1, 0, 1):
        answer = await api.score(f"with {points}", points)
        assert (answer.status, answer.json.get("score")) == (200, points)


OTHER_POINTS = (
    *("1.5", "1e-3", "1e400", '"15"', "true", "false", "null", "[]", "{}"),
    *(str(2**31), str(-(2**31)), str(2**63), str(2**64), "9" * 400),
)


async def test_other_points_are_refused_by_name(api: Api) -> None:
    for text in OTHER_POINTS:
        answer = await api.post("/api/boards/arena/score", with_points(text))

        assert answer.outcome == (400, "invalid_request"), text
        assert answer.json["path"] == "points", text
        assert (await api.get("/api/boards/arena/top")).code == "unknown_board", f"{text} came in"


NO_JSON = (
    *(b"", b" ", b"{", b'{"userId":"ann"', b"[1,]", b"nonsense", b"\xff\xfe"),
    *(with_points("NaN"), with_points("Infinity"), with_points("-Infinity")),
    *(with_points("+1"), with_points("01"), with_points("0x1F"), with_points("1_000")),
    b'{"userId":"\xed\xa0\x80","actionId":"a1","points":1}',
    b'{"userId":"\xc3","actionId":"a1","points":1}',
    with_points("1") * 2,
    b"\x00" * 64,
    b"[" * 20_000,
)


async def test_what_is_not_json_is_refused_as_a_whole(api: Api) -> None:
    for body in NO_JSON:
        answer = await api.post("/api/score", body)

        assert answer.outcome == (400, "invalid_request"), body[:60]
        assert answer.json["path"] == "", body[:60]


OTHER_KINDS: tuple[Any, ...] = ([], "ann", 7, None, [ACTION])


async def test_json_of_another_kind_is_refused(api: Api) -> None:
    for body in OTHER_KINDS:
        assert (await api.post("/api/score", body)).outcome == (400, "invalid_request"), body


async def test_a_missing_field_is_named(api: Api) -> None:
    for field in ("userId", "actionId", "points"):
        body = {name: value for name, value in ACTION.items() if name != field}
        answer = await api.post("/api/score", body)

        assert answer.outcome == (400, "invalid_request"), field
        assert answer.json["path"] == field


async def test_an_unknown_field_is_named(api: Api) -> None:
    answer = await api.post("/api/score", {**ACTION, "point": 15})

    assert answer.json["path"] == "point"


MALFORMED_IDS: tuple[Any, ...] = (
    *("", "x" * 129, "🎲" * 129, "a\x00b", "a\nb", "a\n", "\x7f", "\x85", 7, None, ["ann"]),
)


async def test_a_malformed_id_is_named(api: Api) -> None:
    for case in product(("userId", "actionId"), MALFORMED_IDS):
        field, value = case
        answer = await api.post("/api/score", {**ACTION, field: value})

        assert answer.outcome == (400, "invalid_request"), case
        assert answer.json["path"] == field, case


HALVES = ("\\ud800", "\\udfff", "\\ud83c\\ud83c", "\\udfb2\\ud83c")


async def test_half_a_surrogate_pair_is_refused(api: Api) -> None:
    for case in product(("userId", "actionId"), HALVES):
        field, escape = case
        body = json.dumps({**ACTION, field: "?"}).replace("?", escape)

        answer = await api.post("/api/score", body.encode())
        assert answer.outcome == (400, "invalid_request"), case


IDS = [
    "x" * 128,
    "🎲" * 128,
    "Ärger/mit:Pfaden",
    "a/b/../c",
    "..",
    ".",
    "100%",
    "%2F",
    "a b",
    "a?b#c",
    "a+b&c=d",
    "users:lookup",
    "עברית",
    "é",
    "e\u0301",
    '"quoted\\"',
    "\u2028\ufeff",
    "{0}",
    "👩‍👩‍👧‍👦",
]


async def test_any_other_text_is_an_id_and_comes_back_unchanged(old_api: Api) -> None:
    best: list[tuple[str, int]] = []
    for points, user in enumerate(IDS, start=15):
        case = ascii(user)[:16]
        action = f"{user[:120]}:{len(user)}"
        posted = await old_api.post(
            "/api/score", {"userId": user, "actionId": action, "points": points}
        )
        expected = {"userId": user, "score": points, "rank": 1, "actionId": action}
        assert posted.json == expected, case

        path = f"/api/boards/global/users/{quote(user, safe='').replace('.', '%2E')}"
        place = await old_api.get(path)
        around = await old_api.get(f"{path}/around")
        found = await old_api.post("/api/boards/global/users:lookup", {"userIds": [user]})
        assert [answer.status for answer in (place, around, found)] == [200, 200, 200], case
        assert place.json["userId"] == user, case
        for answer in (around, found):
            assert [one["userId"] for one in answer.json["users"]][:1] == [user], case
        best = [(user, points), *best[:9]]
        assert await old_api.top() == dict(best), case


async def test_ids_that_look_alike_are_different_users(old_api: Api) -> None:
    for n, user in enumerate(("é", "e\u0301", "E", "e", "e ")):
        await old_api.score(user, n)

    assert len(await old_api.top()) == 5


async def test_user_and_action_ids_never_run_into_one_another(api: Api) -> None:
    assert (await api.score("a:b", 1, "c")).status == 200
    assert (await api.score("a", 1, "b:c")).status == 200


FULL_CONTEXT = {
    "occurredAt": "2026-01-31T18:00:00.123Z",
    "ip": "2001:db8::1",
    "latitude": -33.86,
    "longitude": 151.21,
    "country": "AU",
    "deviceId": "device-1",
    "userAgent": "Game/1.0",
    "actionType": "kill",
}


CONTEXTS: tuple[Any, ...] = (None, {}, FULL_CONTEXT, {"latitude": 90})


async def test_a_context_is_optional_and_so_is_each_part(api: Api) -> None:
    for number, context in enumerate(CONTEXTS):
        action = {**ACTION, "actionId": f"a{number}", "context": context}
        assert (await api.post("/api/score", action)).status == 200, context


MALFORMED_CONTEXT: tuple[tuple[str, Any], ...] = (
    ("occurredAt", "yesterday"),
    ("occurredAt", "2026-01-31"),
    ("occurredAt", "2026-01-31T18:00:00"),
    ("occurredAt", "2026-02-30T18:00:00Z"),
    ("occurredAt", "0000-01-01T00:00:00Z"),
    ("occurredAt", "1969-12-31T23:59:59.999Z"),
    ("occurredAt", 1769882400),
    ("ip", "localhost"),
    ("latitude", 90.01),
    ("longitude", -180.01),
    ("longitude", "151"),
    ("country", "au"),
    ("country", "AUS"),
    ("deviceId", ""),
    ("userAgent", "x" * 513),
    ("actionType", "a\nb"),
    ("shoeSize", 42),
)


async def test_a_malformed_part_of_a_context_is_named(api: Api) -> None:
    for case in MALFORMED_CONTEXT:
        field, value = case
        answer = await api.post("/api/score", {**ACTION, "context": {field: value}})

        assert answer.outcome == (400, "invalid_request"), case
        assert answer.json["path"] == f"context.{field}", case
