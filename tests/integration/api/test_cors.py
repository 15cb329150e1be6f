"""Pages of other sites that call the API, as browsers let them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api

GAME = "https://game.example"


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    return await start_api(allowed_origins=f"self,{GAME}, https://www.game.example")


async def asked(api: Api, method: str, path: str, origin: str, **more: Any) -> ClientResponse:
    headers = {"Origin": origin, **more.pop("headers", {})}
    url = api.service.url + path
    async with api.http.request(method, url, headers=headers, **more) as answer:
        await answer.read()
    return answer


def allowed(headers: Mapping[str, str]) -> str | None:
    return headers.get("Access-Control-Allow-Origin")


async def test_a_page_of_an_allowed_origin_may_post_read_and_see_why_not(api: Api) -> None:
    bearer = {"Authorization": f"Bearer {api.service.token()}"}
    action = {"userId": "ann", "actionId": "a1", "points": 5}
    posted = await asked(api, "POST", "/api/score", GAME, json=action, headers=bearer)
    assert (posted.status, allowed(posted.headers)) == (200, GAME)
    for path, status in {
        "/api/score/top": 200,
        "/api/boards/global/users/ann": 200,
        "/api/boards/global/users/nobody": 404,
        "/static/widget.js": 200,
        "/api/nowhere": 404,
    }.items():
        answer = await asked(api, "GET", path, GAME)
        assert (answer.status, allowed(answer.headers)) == (status, GAME), path
        assert "Origin" in ",".join(answer.headers.getall("Vary")), path
    refused = await asked(api, "POST", "/api/score", GAME, json=action)
    assert (refused.status, allowed(refused.headers)) == (401, GAME)
    exposed = refused.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Retry-After", "Preference-Applied"} <= {*exposed}
    assert "Access-Control-Allow-Credentials" not in refused.headers


async def test_a_browser_is_told_before_what_a_page_may_send(api: Api) -> None:
    wants = {"Access-Control-Request-Method": "POST"}
    told = await asked(api, "OPTIONS", "/api/boards/global/score", GAME, headers=wants)
    assert (told.status, allowed(told.headers)) == (204, GAME)
    assert told.headers["Access-Control-Allow-Methods"] == "POST"
    sent = told.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert sent == ["authorization", "content-type", "if-none-match", "prefer"]
    user = await asked(api, "OPTIONS", "/api/users/ann", GAME, headers=wants)
    assert {"GET", "PUT"} <= {*user.headers["Access-Control-Allow-Methods"].split(", ")}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "self", f"{GAME}.evil.example"])
async def test_pages_of_other_origins_get_nothing_to_read(api: Api, origin: str) -> None:
    for method in ("GET", "OPTIONS"):
        answer = await asked(api, method, "/api/score/top", origin)
        assert allowed(answer.headers) is None
    assert (await asked(api, "OPTIONS", "/api/score/top", origin)).status == 403


async def test_the_administration_is_shared_with_no_page(api: Api) -> None:
    bearer = {"Authorization": f"Bearer {api.service.token('admin')}"}
    answer = await asked(api, "GET", "/api/admin/reviews", GAME, headers=bearer)
    assert (answer.status, allowed(answer.headers)) == (200, None)
    assert (await asked(api, "OPTIONS", "/api/admin/reviews", GAME)).status == 405


async def test_without_origins_no_page_of_another_site_is_helped(start_api: StartApi) -> None:
    api = await start_api()
    answer = await asked(api, "GET", "/api/boards", GAME)
    assert (answer.status, allowed(answer.headers)) == (200, None)
    assert "Vary" not in answer.headers
    assert (await asked(api, "OPTIONS", "/api/score/top", GAME)).status == 405
