"""``scoreboard token``: makes an access token; ``scoreboard token revoke`` ends some."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from scoreboard import settings as configuration
from scoreboard.api import tokens
from scoreboard.commands.options import ACTOR, DataDirOption, local_moment
from scoreboard.commands.terminal import say
from scoreboard.domain.boards import is_board_name
from scoreboard.domain.revocations import MAX_TOKEN_ID, NEVER, Revocation
from scoreboard.errors import ConfigurationError
from scoreboard.files import bounded_bytes
from scoreboard.local.running_service import DEFAULT_DATA_DIR, DEVELOPER

MAX_TTL = 10 * 365 * 86_400
LONGEST = 16 * 1024  # characters of a token; no server reads one of half as many

token_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Print a new access token, or revoke tokens.\n\nIt is signed with the first key of "
    "SCOREBOARD_JWT_KEYS, or without that with the secret of `scoreboard up`; then --sub and "
    "--scope may be left out for one that may do everything.",
)


@token_command.callback(invoke_without_command=True)
def _mint(
    context: typer.Context,
    sub: Annotated[
        str, typer.Option(help="Who the token is for: a user id, or a server's name.")
    ] = "",
    scope: Annotated[
        str, typer.Option(help=f"Space-separated, of: {', '.join(tokens.SCOPES)}.")
    ] = "",
    ttl: Annotated[int, typer.Option(help="Seconds until it expires.", min=1, max=MAX_TTL)] = 3600,
    boards: Annotated[
        str | None, typer.Option(help="Comma-separated boards it is good for; default: all.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    settings = configuration.load(os.environ)
    if data_dir is None and not settings.jwt_keys and DEFAULT_DATA_DIR.is_dir():
        data_dir = DEFAULT_DATA_DIR
    if data_dir and not sub and not scope:
        sub, scope = DEVELOPER, " ".join(tokens.SCOPES)
    for option, given in (("--sub", sub), ("--scope", scope)):
        if not given:
            raise typer.BadParameter(
                "is needed. --sub and --scope may both be left out where a `scoreboard up` was "
                "started (or with its --data-dir), unless SCOREBOARD_JWT_KEYS is set",
                param_hint=option,
            )
    if unknown := sorted(set(scope.split()) - set(tokens.SCOPES)):
        raise typer.BadParameter(
            f"unknown: {', '.join(unknown)}; known: {', '.join(tokens.SCOPES)}",
            param_hint="--scope",
        )
    names = None if boards is None else [name.strip() for name in boards.split(",")]
    if wrong := [name for name in names or () if not is_board_name(name)]:
        raise typer.BadParameter(f"not a board's name: {wrong[0]!r}", param_hint="--boards")
    _check_text(sub, 128, "--sub")
    if data_dir:
        keys, algorithm = tokens.local_keys(_secret(data_dir)), "HS256"
    else:
        keys, algorithm = tokens.keys_from(settings), settings.jwt_algorithm
    say(
        tokens.mint(
            keys,
            algorithm,
            subject=sub,
            scope=scope,
            ttl=ttl,
            boards=names,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )
    )


@token_command.command("revoke")
def revoke_command(
    jti: Annotated[str, typer.Option(help="The token with this id (its claim jti).")] = "",
    stdin: Annotated[
        bool, typer.Option("--stdin", help="The token that stands on standard input.")
    ] = False,
    sub: Annotated[str, typer.Option(help="All tokens of this user or server.")] = "",
    before: Annotated[
        datetime | None,
        typer.Option(
            help="With --sub: those issued before this moment (claim iat), local time if it names "
            "no other; default: now.",
            parser=local_moment,
            metavar="MOMENT",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    data_dir: DataDirOption = None,
) -> None:
    """Revoke tokens.

    Every server refuses them within a second and closes their WebSockets. A token without an id can
    only be revoked by its subject, one that does not tell when it was issued counts as issued
    before.
    """
    if [bool(jti), stdin, bool(sub)].count(True) != 1:
        raise typer.BadParameter("exactly one of --jti, --stdin and --sub is needed")
    if before is not None and not sub:
        raise typer.BadParameter("belongs to --sub", param_hint="--before")
    now = time.time()
    if sub:
        _check_text(sub, 128, "--sub")
        moment = now if before is None else before.timestamp()
        if not 0 < moment <= now:
            raise typer.BadParameter("not a past moment", param_hint="--before")
        revocation = Revocation(subject=sub, before=moment)
    else:
        until = NEVER
        if stdin:
            jti, until = _identity(sys.stdin.read(LONGEST).strip())
        _check_text(jti, MAX_TOKEN_ID, "--jti")
        revocation = Revocation(token=jti, until=until)
    if asyncio.run(_revoke(revocation, reason, data_dir)):
        say("Revoked.")
    else:
        say("Revoked. Redis is away, so running servers follow within ten seconds.")


async def _revoke(revocation: Revocation, reason: str, data_dir: Path | None) -> bool:
    # Here, so that printing a token does not load what talks to servers.
    from scoreboard.assembly.moderation import revoker
    from scoreboard.assembly.operator import load_settings, operator

    async with operator(load_settings(data_dir)) as tools:
        return await revoker(tools.redis, tools.pool).revoke(revocation, by=ACTOR, reason=reason)


def _identity(text: str) -> tuple[str, float]:
    """A token's id and when it expires."""
    try:
        jti, expires = tokens.identity_of(text)
    except ValueError as error:
        raise ConfigurationError(f"standard input holds no token: {error}") from None
    if jti is None:
        raise ConfigurationError(
            "this token has no id (jti); revoke all tokens of its subject with --sub"
        )
    return jti, NEVER if expires is None else min(expires, NEVER)


def _check_text(text: str, most: int, option: str) -> None:
    if not 1 <= len(text) <= most or not text.isprintable():
        raise typer.BadParameter(f"1 to {most} printable characters", param_hint=option)


def _secret(data_dir: Path) -> str:
    path = data_dir / "secret"
    try:
        secret = bounded_bytes(str(path)).decode()
        return tokens.verification_key(secret.strip(), "HS256")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"no usable secret in {path} ({error}); has `scoreboard up` run with this data "
            "directory?"
        ) from error
