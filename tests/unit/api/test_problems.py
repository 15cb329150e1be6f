"""What aiohttp raises leaves the service as a problem document too."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from scoreboard.api.problems import CONTENT_TYPE, guarded
from scoreboard.api.route_metrics import RouteMetrics


async def answer_to(error: web.HTTPException) -> web.StreamResponse:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    guard = guarded(handler, RouteMetrics("GET", "/refused"))
    return await guard(make_mocked_request("GET", "/"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (web.HTTPExpectationFailed(), "expectation_failed"),
        (web.HTTPUpgradeRequired(), "upgrade_required"),
        (web.HTTPInsufficientStorage(), "insufficient_storage"),
        (web.HTTPNotFound(), "not_found"),
        (web.HTTPRequestEntityTooLarge(1, 2), "payload_too_large"),
    ],
)
async def test_a_refusal_of_aiohttp_is_named_by_its_status(
    error: web.HTTPException, code: str
) -> None:
    answer = await answer_to(error)

    assert isinstance(answer, web.Response)
    assert (answer.status, answer.content_type) == (error.status, CONTENT_TYPE)
    assert f'"code":"{code}"' in (answer.text or "")


@pytest.mark.parametrize("error", [web.HTTPFound("/elsewhere"), web.HTTPNotModified()])
async def test_what_is_no_refusal_is_left_as_it_is(error: web.HTTPException) -> None:
    with pytest.raises(type(error)):
        await answer_to(error)
