"""``scoreboard top``: the top 10 in the terminal."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

from scoreboard.commands.options import DataDirOption, TokenOption, UrlOption
from scoreboard.errors import ConfigurationError
from scoreboard.local import running_service
from scoreboard.local.running_service import DEFAULT_DATA_DIR, Target


def top_command(
    board: Annotated[str, typer.Option(help="The board to show.")] = "global",
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Show a board's top 10."""
    entries = asyncio.run(_fetch(running_service.find(url, token, data_dir), board))
    table = Table(title=board, title_style="bold")
    table.add_column("Rank", justify="right")
    table.add_column("User")
    table.add_column("Score", justify="right")
    for rank, entry in enumerate(entries, 1):
        table.add_row(str(rank), entry["userId"], f"{entry['score']:,}")
    Console().print(table)


async def _fetch(service: Target, board: str) -> list[dict[str, Any]]:
    try:
        async with (
            aiohttp.ClientSession(
                headers=service.headers, timeout=aiohttp.ClientTimeout(total=10)
            ) as session,
            session.get(f"{service.url}/api/boards/{board}/top") as response,
        ):
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ConfigurationError(f"{service.url} does not answer: {error}") from error
    if response.status != 200:
        raise ConfigurationError(f"{answer.get('code')}: {answer.get('detail')}")
    return list(answer["topScores"])
