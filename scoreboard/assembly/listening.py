"""The address that a process answers on."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from scoreboard.errors import ConfigurationError


async def listen(
    runner: web.AppRunner, host: str, port: int, *, variable: str, **options: Any
) -> None:
    """Answers on ``host`` and ``port`` from now on; ``options`` are web.TCPSite's. Raises
    ConfigurationError, which names the ``variable`` that chooses the port."""
    try:
        await web.TCPSite(runner, host, port, **options).start()
    except OSError as error:
        raise ConfigurationError(
            f"Can't listen on {host}:{port}: {error.strerror}. Choose another with {variable}."
        ) from error
