"""The pages' files: how they are served, and that they ask nothing of anybody else."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from scoreboard.api import pages
from scoreboard.api.operations import add_routes

STATIC = resources.files("scoreboard.api").joinpath("static")
TEXTS = [file for file in STATIC.iterdir() if file.name.endswith((".html", ".js", ".css", ".svg"))]


@pytest.fixture
async def client(aiohttp_client: Any) -> TestClient[Any, Any]:
    app = web.Application()
    add_routes(app, pages.operations())
    client: TestClient[Any, Any] = await aiohttp_client(app)
    return client


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/static/app.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
        ("/static/archivo.woff2", "font/woff2"),
    ],
)
async def test_each_file_has_its_type_and_is_sent_again_only_when_it_changed(
    client: TestClient[Any, Any], path: str, content_type: str
) -> None:
    first = await client.get(path)
    assert first.status == 200
    assert first.headers["Content-Type"] == content_type
    assert first.headers["Cache-Control"] == "no-cache"
    etag = first.headers["ETag"]
    again = await client.get(path, headers={"If-None-Match": f'"another", {etag}'})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
    assert (await client.get(path, headers={"If-None-Match": '"another"'})).status == 200


async def test_every_answer_forbids_inline_code_and_foreign_hosts(
    client: TestClient[Any, Any],
) -> None:
    for path in ("/", "/docs", "/admin", "/static/app.js"):
        headers = (await client.get(path)).headers
        policy = dict(
            part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
        )
        assert policy.pop("require-trusted-types-for") == "'script'"
        assert policy.pop("default-src") == "'none'"
        assert set(policy.values()) == {"'self'", "'none'"}
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "%2e%2e%2fapp.py", "a%00b"])
async def test_no_other_file_can_be_had(client: TestClient[Any, Any], name: str) -> None:
    response = await client.get(f"/static/{name}")
    assert response.status == 404
    assert (await response.json())["code"] == "not_found"


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.name)
def test_no_file_names_another_host_or_makes_markup_of_text(file: Any) -> None:
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=\"", text)
