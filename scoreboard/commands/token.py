"""``scoreboard token``: makes an access token."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scoreboard import settings as configuration
from scoreboard.api import tokens
from scoreboard.domain.boards import is_board_name
from scoreboard.errors import ConfigurationError

MAX_TTL = 10 * 365 * 86_400


def token_command(
    sub: Annotated[str, typer.Option(help="Who the token is for: a user id, or a server's name.")],
    scope: Annotated[str, typer.Option(help=f"Space-separated, of: {', '.join(tokens.SCOPES)}.")],
    ttl: Annotated[int, typer.Option(help="Seconds until it expires.", min=1, max=MAX_TTL)] = 3600,
    boards: Annotated[
        str | None, typer.Option(help="Comma-separated boards it is good for; default: all.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Sign with the secret of the `scoreboard up` that keeps its data here."),
    ] = None,
) -> None:
    """Print a new access token, signed with the first key of SCOREBOARD_JWT_KEYS."""
    settings = configuration.load(os.environ)
    if unknown := sorted(set(scope.split()) - set(tokens.SCOPES)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}", param_hint="--scope")
    names = None if boards is None else [name.strip() for name in boards.split(",")]
    if wrong := [name for name in names or () if not is_board_name(name)]:
        raise typer.BadParameter(f"not a board's name: {wrong[0]!r}", param_hint="--boards")
    if not 1 <= len(sub) <= 128 or not sub.isprintable():
        raise typer.BadParameter("1 to 128 printable characters", param_hint="--sub")
    if data_dir:
        keys, algorithm = tokens.local_keys(_secret(data_dir)), "HS256"
    else:
        keys, algorithm = tokens.keys_from(settings), settings.jwt_algorithm
    typer.echo(
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


def _secret(data_dir: Path) -> str:
    path = data_dir / "secret"
    try:
        return tokens.verification_key(path.read_text(encoding="utf-8").strip(), "HS256")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"no usable secret in {path} ({error}); has `scoreboard up` run with this data "
            "directory?"
        ) from error
