"""The pages' files: how they are served, and that they ask nothing of anybody else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from importlib import resources
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

from scoreboard.api import pages
from scoreboard.api.operations import add_routes
from scripts.renew_redoc import BUNDLE, LICENSE, OUTSIDE, SHA256, VERSION

STATIC = resources.files("scoreboard.api").joinpath("static")
TEXTS = [file for file in STATIC.iterdir() if file.name.endswith((".html", ".js", ".css", ".svg"))]


@pytest.fixture
async def client(aiohttp_client: Any) -> TestClient[Any, Any]:
    app = web.Application()
    add_routes(app, pages.operations(), unknown_address=pages.unknown_address())
    client: TestClient[Any, Any] = await aiohttp_client(app)
    return client


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/overlay/arena", "text/html; charset=utf-8"),
        ("/players/arena/a%2Fb", "text/html; charset=utf-8"),
        ("/static/app.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
        ("/static/archivo.woff2", "font/woff2"),
        ("/static/redoc.js", "text/javascript; charset=utf-8"),
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


async def test_every_answer_forbids_inline_code_and_foreign_hosts_but_for_avatars(
    client: TestClient[Any, Any],
) -> None:
    for path in ("/", "/overlay/arena", "/players/arena/ada", "/docs", "/admin", "/static/app.js"):
        headers = (await client.get(path)).headers
        policy = dict(
            part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
        )
        if path == "/docs":
            nothing = base64.b64encode(hashlib.sha256(b"").digest()).decode()
            assert policy.pop("style-src") == f"'self' 'sha256-{nothing}'"
            assert policy.pop("style-src-attr") == "'unsafe-inline'"
            assert policy.pop("font-src") == "'self' data:"
        else:
            assert policy.pop("require-trusted-types-for") == "'script'"
        if path in ("/", "/overlay/arena", "/players/arena/ada"):
            assert policy.pop("img-src") == "'self' https:"
        assert policy.pop("default-src") == "'none'"
        assert set(policy.values()) == {"'self'", "'none'"}
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, GZIP ; q=0.5", True),
        ("gzip;q=1.0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("br", False),
        ("identity", False),
    ],
)
async def test_the_renderer_is_sent_packed_to_browsers_that_take_it(
    client: TestClient[Any, Any], accepted: str, packed: bool
) -> None:
    async with client.session.get(
        client.make_url("/static/redoc.js"), headers={"Accept-Encoding": accepted}
    ) as response:
        assert response.status == 200
        assert response.headers.get("Content-Encoding") == ("gzip" if packed else None)
        assert response.headers["Vary"] == "Accept-Encoding"
        body = await response.read()
        assert hashlib.sha256(body).hexdigest() == SHA256
        size = int(response.headers["Content-Length"])
        assert size < 700_000 if packed else size == len(body)


async def test_however_often_the_renderer_is_asked_for_it_is_unpacked_once(
    client: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = Mock(wraps=gzip.decompress)
    monkeypatch.setattr(gzip, "decompress", unpacked)
    pages._unpacked.cache_clear()
    for _ in range(5):
        async with client.session.get(
            client.make_url("/static/redoc.js"), headers={"Accept-Encoding": "identity"}
        ) as response:
            await response.read()
    unpacked.assert_called_once()


def test_the_renderer_is_the_one_that_was_looked_at_and_asks_no_other_host() -> None:
    content = gzip.decompress(BUNDLE.read_bytes())

    assert hashlib.sha256(content).hexdigest() == SHA256, "make docs-renderer"
    assert f"Version: {VERSION}".encode() in content[:400]
    assert not any(address.encode() in content for address in OUTSIDE)
    assert "MIT License" in LICENSE.read_text(encoding="utf-8")


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


@pytest.mark.parametrize("path", ["/nowhere", "/boards/arena/", "/a//b", "/%2E%2E/x"])
async def test_a_browser_at_an_unknown_address_gets_a_page_and_a_program_a_problem(
    client: TestClient[Any, Any], path: str
) -> None:
    url = URL(path, encoded=True)
    page = await client.get(url, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status, page.content_type) == (404, "text/html")
    assert "Content-Security-Policy" in page.headers
    text = await page.text()
    assert "There is no page at this address." in text
    style = re.search(r'"([^"]*static/style.css)"', text)
    assert style is not None
    assert (await client.session.get(page.url.join(URL(style[1])))).status == 200

    for method, accept in (("GET", "*/*"), ("POST", "text/html")):
        answer = await client.request(method, url, headers={"Accept": accept})
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_the_page_of_an_unknown_address_stays_short_however_deep_that_lies(
    client: TestClient[Any, Any],
) -> None:
    page = await client.get("/a" * 2_000, headers={"Accept": "text/html"})
    assert page.status == 404
    assert len(await page.read()) < 2_000
