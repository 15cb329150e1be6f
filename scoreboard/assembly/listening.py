"""The address that a process answers on, and the connections that it takes there."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from scoreboard.api.edge.addresses import Addresses
from scoreboard.api.edge.admission import Admission
from scoreboard.api.edge.runner import Runner
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings


def http_runner(app: web.Application, settings: Settings, **options: Any) -> Runner:
    """The runner of ``app``, with the limits that are set; ``options`` are web.AppRunner's."""
    admission = Admission(
        Addresses(settings.trusted_proxies, settings.client_address_header),
        most=settings.max_http_connections,
        most_per_address=settings.max_http_connections_per_address,
    )
    return Runner(
        app,
        admission,
        header_timeout=settings.header_timeout,
        write_timeout=settings.write_timeout,
        **options,
    )


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
    if not runner.addresses:  # asyncio leaves out a socket when there is no descriptor for it
        raise ConfigurationError(
            f"Can't listen on {host}:{port}: no socket can be opened. The limit of open files may "
            "be too low (ulimit -n, LimitNOFILE)."
        )
