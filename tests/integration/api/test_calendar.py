"""A look ahead at a period over HTTP, before it is set on a board."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.api.described_api import Answer, Api

WEEK = {"name": "week", "cron": "0 0 * * 1", "zone": "Europe/Berlin"}


async def asked(api: Api, body: dict[str, Any], scope: str = "admin") -> Answer:
    return await api.bearing(api.service.token(scope)).post("/api/admin/calendar", body)


async def test_it_tells_the_open_occurrence_and_those_that_follow(api: Api) -> None:
    answer = await asked(api, {"period": WEEK, "count": 2, "since": "2026-03-20T12:00:00Z"})
    assert answer.status == 200
    # Clocks are changed in the second one.
    assert answer.json == {
        "occurrences": [
            {"startsAt": "2026-03-15T23:00:00Z", "endsAt": "2026-03-22T23:00:00Z"},
            {"startsAt": "2026-03-22T23:00:00Z", "endsAt": "2026-03-29T22:00:00Z"},
        ]
    }


async def test_by_itself_it_tells_five_from_now_on(api: Api) -> None:
    planned = (await asked(api, {"period": WEEK})).json["occurrences"]
    assert len(planned) == 5
    starts, ends = (datetime.fromisoformat(planned[0][name]) for name in ("startsAt", "endsAt"))
    assert starts <= datetime.now(UTC) < ends


async def test_it_ends_where_the_clocks_of_boards_do(api: Api) -> None:
    answer = await asked(api, {"period": WEEK, "count": 20, "since": "2089-12-20T00:00:00Z"})
    assert [one["startsAt"] for one in answer.json["occurrences"]] == [
        "2089-12-18T23:00:00Z",
        "2089-12-25T23:00:00Z",
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"period": WEEK | {"cron": "0 0 30 2 *"}}, "period.cron"),
        ({"period": WEEK | {"zone": "Mars/Olympus"}}, "period.zone"),
        ({"period": WEEK | {"duration": "P8D"}}, "period.duration"),
        ({"period": {"name": "week"}}, "period"),
        ({"period": WEEK, "count": 21}, "count"),
        ({"period": WEEK, "since": "1969-12-31T00:00:00Z"}, "since"),
        ({"period": WEEK, "since": "2026-03-20T12:00:00"}, "since"),
    ],
)
async def test_what_is_wrong_is_named(api: Api, body: dict[str, Any], path: str) -> None:
    answer = await asked(api, body)
    assert (answer.outcome, answer.json["path"]) == ((400, "invalid_request"), path)


async def test_it_is_for_moderators(api: Api) -> None:
    assert (await asked(api, {"period": WEEK}, "score:write")).outcome == (403, "forbidden")
    answer = await api.bearing(None).post("/api/admin/calendar", {"period": WEEK})
    assert answer.outcome == (401, "unauthorized")
