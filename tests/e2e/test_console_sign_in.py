"""Signing in to the console at a real OpenID provider, which runs beside the service."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.async_api import Page, Request, Route, expect

from scoreboard.settings import Settings
from tests.e2e.axe import expect_no_fault
from tests.e2e.conftest import OpenPage
from tests.e2e.test_console import STORED
from tests.support.programs import lacking, program
from tests.support.whole_service import Service, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROGRAM = Path(__file__).with_name("openid_provider.mjs")
AUDIENCE = "scoreboard"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[str]:
    """The provider's, which is ended with the tests of this file."""
    node = program("node", package="nodejs")
    if not (PROGRAM.parents[2] / "node_modules" / "oidc-provider").exists():
        lacking("oidc-provider is not installed (`make check` does it, or `npm ci`)")
    process = await asyncio.create_subprocess_exec(
        node, str(PROGRAM), AUDIENCE, stdin=PIPE, stdout=PIPE
    )
    assert process.stdin
    assert process.stdout
    yield (await process.stdout.readline()).decode().strip()
    process.stdin.close()
    await process.communicate()


@asynccontextmanager
async def console_at(settings: Settings, issuer: str) -> AsyncIterator[Service]:
    """A service that takes the provider's tokens, and is known there."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    login: dict[str, Any] = {
        "jwt_keys": own,
        "jwt_algorithm": "RS256",
        "jwt_jwks": f"{issuer}/jwks",
        "jwt_issuer": issuer,
        "jwt_audience": AUDIENCE,
        "oidc_issuer": issuer,
        "oidc_client_id": "console",
        "oidc_parameters": "resource=https%3A%2F%2Fscores.example.org",
    }
    async with service(settings, **login) as running, ClientSession() as http:
        client = {
            "redirect_uris": [f"{running.url}/admin"],
            "post_logout_redirect_uris": [f"{running.url}/admin"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        async with http.post(f"{issuer}/reg", json=client) as answer:
            assert answer.status == 201, await answer.text()
        yield running


async def a_page_of(new_page: OpenPage) -> Page:
    """In which the provider's pages get no fonts from the Internet."""
    page = await new_page()
    await page.context.route("https://**", lambda route: route.abort())
    return page


async def begin(page: Page, running: Service, at: str = "") -> None:
    """Goes to the provider from an address of the console."""
    await page.goto(f"{running.url}/admin{at}")
    await page.get_by_role("button", name="Sign in at").click()


async def sign_in(page: Page, running: Service, at: str = "") -> None:
    await begin(page, running, at)
    await page.get_by_placeholder("Enter any login").fill("eve")
    await page.get_by_placeholder("and password").fill("anything")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("navigation", name="Console")).to_be_visible()


def claims(request: Request) -> dict[str, Any]:
    """Those of the token that a call bears."""
    token = request.headers["authorization"].removeprefix("Bearer ")
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def test_people_sign_in_at_the_provider_and_out_of_it(
    settings: Settings, issuer: str, new_page: OpenPage
) -> None:
    page = await a_page_of(new_page)
    async with console_at(settings, issuer) as running:
        await page.goto(f"{running.url}/admin")
        await expect(page.get_by_role("button", name="Sign in at")).to_be_focused()
        await expect_no_fault(page)
        async with page.expect_request("**/api/admin/reviews*") as call:
            await sign_in(page, running, "#boards")
        await expect(page.get_by_role("heading", name="Boards", exact=True)).to_be_focused()
        assert page.url == f"{running.url}/admin#boards"
        assert await page.evaluate(STORED) == [0, 0, "", ""]
        bears = claims(await call.value)
        assert (bears["sub"], bears["aud"], bears["scope"]) == ("eve", AUDIENCE, "admin")
        assert "nonce" not in bears, "an ID token is no access token"

        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Yes, sign me out").click()
        await expect(page.get_by_label("Access token")).to_be_visible()
        await begin(page, running)
        await expect(page.get_by_placeholder("Enter any login")).to_be_visible()


async def test_an_access_token_that_is_over_is_renewed_and_nobody_notices(
    settings: Settings, issuer: str, new_page: OpenPage
) -> None:
    page = await a_page_of(new_page)
    async with console_at(settings, issuer) as running:
        await sign_in(page, running)
        old: list[str] = []

        async def over(route: Route) -> None:
            """The token of the first call is good for nothing more."""
            bearer = route.request.headers["authorization"]
            old.append(bearer)
            await (route.fulfill(status=401, body="{}") if bearer == old[0] else route.continue_())

        await page.route("**/api/admin/boards*", over)
        ways = page.get_by_role("navigation", name="Console")
        await ways.get_by_role("link", name="Boards").click()
        await expect(page.locator("#boards li")).to_have_count(1)

        # And when the provider gives no other one, the session is over.
        await page.route(f"{issuer}/token", lambda route: route.fulfill(status=400, body="{}"))
        await page.route("**/api/admin/audit*", lambda route: route.fulfill(status=401, body="{}"))
        await ways.get_by_role("link", name="Audit").click()
        await expect(page.locator("#login-error")).to_contain_text("may have expired")
        await expect(page.get_by_role("button", name="Sign in at")).to_be_focused()


Change = Callable[[Page], Awaitable[object]]


def answering(url: str, **changes: Any) -> Change:
    """What is asked there is answered, but for these members of it."""

    async def answer(route: Route) -> None:
        response = await route.fetch()
        told = json.loads(await response.text()) | changes
        # The page's scripts may read it as they may read the provider's own.
        await route.fulfill(response=response, body=json.dumps(told))

    return lambda page: page.route(url, answer)


def id_token(issuer: str, **changes: Any) -> str:
    good = {"iss": issuer, "aud": "console", "exp": 2**40, "nonce": "another"}
    return jwt.encode(good | changes, "x" * 32, algorithm="HS256")


async def test_each_failure_is_told_in_words_and_nobody_is_signed_in(
    settings: Settings, issuer: str, new_page: OpenPage
) -> None:
    described, tokens = f"{issuer}/.well-known/*", f"{issuer}/token"
    elsewhere = "https://login.example.org"

    def sent_back(query: str) -> Change:
        return lambda page: page.route(
            f"{issuer}/auth?*",
            lambda route: route.fulfill(status=303, headers={"Location": f"{console}?{query}"}),
        )

    failures: list[tuple[str, Change]] = [
        ("description of itself", answering(described, issuer=elsewhere)),
        ("SCOREBOARD_OIDC_ORIGINS", answering(described, token_endpoint=f"{elsewhere}/token")),
        ("no https addresses", answering(described, authorization_endpoint="javascript:alert()")),
        ("can’t be reached", lambda page: page.route(described, lambda route: route.abort())),
        ("did not begin in this tab", sent_back("code=a&state=forged")),
        ("can’t answer now (503)", lambda p: p.route(tokens, lambda r: r.fulfill(status=503))),
        ("another sign-in", answering(tokens, id_token=id_token(issuer))),
        ("another one’s ID token", answering(tokens, id_token=id_token(elsewhere))),
        ("meant for others", answering(tokens, id_token=id_token(issuer, aud="shop"))),
        ("no access token", answering(tokens, access_token=None)),
        ("does not accept the access token", answering(tokens, access_token="opaque")),
    ]
    async with console_at(settings, issuer) as running:
        console = f"{running.url}/admin"
        page = await a_page_of(new_page)
        await sign_in(page, running)
        for words, change in failures:
            await change(page)
            await begin(page, running)
            await expect(page.locator("#login-error")).to_contain_text(words)
            await expect(page.get_by_role("navigation", name="Console")).to_be_hidden()
            await page.unroute_all()
        # The provider still knows who it is, and the console takes its next answer.
        await begin(page, running)
        await expect(page.get_by_role("navigation", name="Console")).to_be_visible()


async def test_who_gives_up_at_the_provider_may_begin_again(
    settings: Settings, issuer: str, new_page: OpenPage
) -> None:
    page = await a_page_of(new_page)
    async with console_at(settings, issuer) as running:
        await begin(page, running)
        await page.get_by_role("link", name="Cancel").click()
        await expect(page.locator("#login-error")).to_contain_text("Not signed in at 127.0.0.1")
        await expect(page.get_by_role("button", name="Sign in at")).to_be_focused()
