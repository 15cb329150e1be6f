"""How people sign in to the console: with a token, and where the settings name an OpenID provider,
there. The console speaks to it by itself, in the browser; the service only says where it is, and
takes its access tokens by the rules for any other (auth.py)."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import msgspec
from aiohttp import web

from scoreboard.api.operations import Operation
from scoreboard.api.written import for_caller
from scoreboard.domain.web_names import is_safe_url, origin_of
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings

# What the console says by itself, in either request.
_OWN_PARAMETERS = frozenset(
    {
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "grant_type",
        "nonce",
        "redirect_uri",
        "refresh_token",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)


class OpenIdProvider(msgspec.Struct, frozen=True, rename="camel"):
    """An OpenID provider, the console's id there, and what is asked of it. The console may ask the
    ``origins``, of which the issuer's is the first."""

    issuer: str
    client_id: str
    scope: str
    parameters: dict[str, str]
    origins: list[str]


class SignIn(msgspec.Struct, frozen=True):
    """Where people may sign in to the console. null: with a token only."""

    provider: OpenIdProvider | None


def sign_in_by(settings: Settings) -> SignIn:
    """What the settings say. Raises ConfigurationError."""
    issuer = settings.oidc_issuer
    if not issuer:
        return SignIn(None)
    if not is_safe_url(issuer) or any(mark in issuer for mark in "?#"):
        raise ConfigurationError(
            "SCOREBOARD_OIDC_ISSUER is an https URL without a password, a query and a fragment"
        )
    if not settings.oidc_client_id:
        raise ConfigurationError("SCOREBOARD_OIDC_CLIENT_ID is needed with SCOREBOARD_OIDC_ISSUER")
    if "openid" not in settings.oidc_scope.split():
        raise ConfigurationError("SCOREBOARD_OIDC_SCOPE has to name openid")
    if settings.jwt_algorithm == "HS256":
        raise ConfigurationError(
            "SCOREBOARD_OIDC_ISSUER: the service has to know the provider's keys: set "
            "SCOREBOARD_JWT_JWKS, and SCOREBOARD_JWT_ALGORITHM to RS256, ES256 or EdDSA"
        )
    if not settings.jwt_issuer:  # or whoever else has tokens signed with these keys is taken
        raise ConfigurationError(
            "SCOREBOARD_OIDC_ISSUER: set SCOREBOARD_JWT_ISSUER to the iss of its access tokens"
        )
    return SignIn(
        OpenIdProvider(
            issuer,
            settings.oidc_client_id,
            settings.oidc_scope,
            _parameters(settings.oidc_parameters),
            _origins(issuer, settings.oidc_origins),
        )
    )


def _parameters(text: str) -> dict[str, str]:
    variable = "SCOREBOARD_OIDC_PARAMETERS"
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise ConfigurationError(
            f"{variable} is no query, such as name=value&other=value"
        ) from None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise ConfigurationError(f"{variable} names a parameter twice")
    if own := parameters.keys() & _OWN_PARAMETERS:
        raise ConfigurationError(f"{variable}: {min(own)} is said by the console itself")
    return parameters


def _origins(issuer: str, further: str) -> list[str]:
    parts = urlsplit(issuer)
    named = [f"{parts.scheme}://{parts.netloc}", *filter(None, map(str.strip, further.split(",")))]
    try:
        if not all(map(is_safe_url, named)):
            raise ValueError("all of them begin with https://")
        return list(map(origin_of, named))
    except ValueError as error:
        raise ConfigurationError(f"SCOREBOARD_OIDC_ORIGINS: {error}") from error


def sign_in_operations(sign_in: SignIn) -> list[Operation]:
    """The call by which the console asks, before anybody has signed in."""

    async def answer(request: web.Request) -> web.Response:
        return for_caller(sign_in)

    return [
        Operation(
            "GET", "/api/admin/sign-in", "get_sign_in", answer,
            "Where people sign in to the console", {200: ("As the settings say", SignIn)},
            tag="admin",
        ),
    ]  # fmt: skip
