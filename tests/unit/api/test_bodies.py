"""A body that does not come whole is its sender's failure, not the service's."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader
from aiohttp.test_utils import make_mocked_request

from scoreboard.api.bodies import read_json
from scoreboard.errors import InvalidRequest


async def test_a_client_that_leaves_before_the_end_of_its_body_is_no_failure_of_the_service() -> (
    None
):
    body = StreamReader(Mock(), 2**16, loop=asyncio.get_running_loop())
    body.feed_data(b'{"userId":')
    body.set_exception(ConnectionResetError("Connection lost"))
    headers = {"Content-Type": "application/json"}
    request = make_mocked_request("POST", "/api/score", headers, payload=body)

    with pytest.raises(InvalidRequest, match="left before the end"):
        await read_json(request, timeout=5)
