"""Which settings name an OpenID provider for the console, and what the page is told and allowed."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from msgspec import structs

from scoreboard.api import pages
from scoreboard.api.operations import add_routes
from scoreboard.api.sign_in import sign_in_by, sign_in_operations
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings

GOOD = Settings(
    jwt_algorithm="RS256",
    jwt_issuer="https://login.example.org/games",
    jwt_jwks="https://login.example.org/games/keys",
    oidc_issuer="https://Login.example.org:443/games",
    oidc_client_id="console",
    oidc_parameters="audience=scores&resource=https%3A%2F%2Fscores.example.org",
    oidc_origins="https://id.example.net, https://10.0.0.7:8443/",
)


async def told(settings: Settings, aiohttp_client: Any) -> tuple[Any, str]:
    """What the page is told before anybody signed in, and whom it may ask."""
    sign_in = sign_in_by(settings)
    app = web.Application()
    origins = sign_in.provider.origins if sign_in.provider else ()
    add_routes(app, [*pages.operations(origins), *sign_in_operations(sign_in)])
    client = await aiohttp_client(app)
    answer = await client.get("/api/admin/sign-in")
    assert answer.status == 200
    policy = (await client.get("/admin")).headers["Content-Security-Policy"]
    others = (await client.get("/")).headers["Content-Security-Policy"]
    assert "connect-src 'self';" in others
    return await answer.json(), policy.partition("connect-src ")[2].partition(";")[0]


async def test_the_page_learns_of_the_provider_and_may_ask_it(aiohttp_client: Any) -> None:
    described, asked = await told(GOOD, aiohttp_client)
    assert described["provider"] == {
        "issuer": "https://Login.example.org:443/games",
        "clientId": "console",
        "scope": "openid admin",
        "parameters": {"audience": "scores", "resource": "https://scores.example.org"},
        "origins": [
            "https://login.example.org",
            "https://id.example.net",
            "https://10.0.0.7:8443",
        ],
    }
    assert asked == (
        "'self' https://login.example.org https://id.example.net https://10.0.0.7:8443"
    )


async def test_without_a_provider_the_page_may_ask_nobody_else(aiohttp_client: Any) -> None:
    assert await told(Settings(), aiohttp_client) == ({"provider": None}, "'self'")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"oidc_issuer": "http://login.example.org"}, "OIDC_ISSUER is an https URL"),
        ({"oidc_issuer": "https://a:b@login.example.org"}, "without a password"),
        ({"oidc_issuer": "https://login.example.org/?a=b"}, "a query"),
        ({"oidc_issuer": "https://login.example.org;x"}, "is no Origin"),
        ({"oidc_client_id": ""}, "OIDC_CLIENT_ID is needed"),
        ({"oidc_scope": "admin"}, "OIDC_SCOPE has to name openid"),
        ({"oidc_parameters": "audience"}, "OIDC_PARAMETERS is no query"),
        ({"oidc_parameters": "a=1&a=2"}, "names a parameter twice"),
        ({"oidc_parameters": "redirect_uri=x"}, "redirect_uri is said by the console itself"),
        ({"oidc_origins": "http://id.example.net"}, "OIDC_ORIGINS"),
        ({"oidc_origins": "https://id.example.net/token"}, "OIDC_ORIGINS"),
        ({"jwt_algorithm": "HS256"}, "SCOREBOARD_JWT_JWKS"),
        ({"jwt_issuer": ""}, "SCOREBOARD_JWT_ISSUER"),
    ],
)
def test_settings_with_which_nobody_could_sign_in_safely_are_refused(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        sign_in_by(structs.replace(GOOD, **changes))


def test_a_provider_on_this_machine_needs_no_tls() -> None:
    provider = sign_in_by(structs.replace(GOOD, oidc_issuer="http://127.0.0.1:9400")).provider
    assert provider
    assert provider.origins[0] == "http://127.0.0.1:9400"
