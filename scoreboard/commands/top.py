"""``scoreboard top``: the top of a board in the terminal, as its rules want it shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
import typer
from msgspec import UnsetType
from rich.table import Column, Table

from scoreboard.api.board_descriptions import DescribedBoard
from scoreboard.api.board_reads import TopScores
from scoreboard.commands.options import DataDirOption, TokenOption, UrlOption
from scoreboard.commands.terminal import console, printable
from scoreboard.domain.standings import TopEntry
from scoreboard.errors import ConfigurationError
from scoreboard.local import running_service
from scoreboard.local.running_service import Target

T = TypeVar("T")


def top_command(
    board: Annotated[str, typer.Option(help="The board to show.")] = "global",
    period: Annotated[
        str | None,
        typer.Option(help="A period: shows its current occurrence.", metavar="NAME"),
    ] = None,
    occurrence: Annotated[
        str | None,
        typer.Option(help="Another occurrence of the period.", metavar="NUMBER|previous"),
    ] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show a board's top 10, or as many as its rules say."""
    service = running_service.find(url, token, data_dir)
    wanted = {"period": period, "occurrence": occurrence}
    query = {name: value for name, value in wanted.items() if value is not None}
    top, described = asyncio.run(_fetch(service, board, query))
    entries, rules = top.top_scores, described.rules
    table = Table(
        Column("Rank", justify="right"),
        Column("User", overflow="fold"),
        Column(f"Score, {printable(rules.unit)}" if rules.unit else "Score", justify="right"),
        title=printable(rules.title or board),
        title_style="bold",
        caption=_occurrence(top),
    )
    ranks = _ranks(entries, shared=rules.rank_style == "standard")
    for rank, entry in zip(ranks, entries, strict=True):
        score = Decimal(entry.score).scaleb(-rules.decimals)
        table.add_row(str(rank), printable(entry.user_id), f"{score:,.{rules.decimals}f}")
    console().print(table)


def _occurrence(top: TopScores) -> str | None:
    """Which occurrence is shown, if it is one."""
    if isinstance(top.starts_at, UnsetType) or isinstance(top.ends_at, UnsetType):
        return None
    moments = (f"{moment:%Y-%m-%d %H:%M:%S}Z" for moment in (top.starts_at, top.ends_at))
    return f"{top.period} {top.occurrence}, {top.state}\n{' to '.join(moments)}"


def _ranks(entries: Sequence[TopEntry], *, shared: bool) -> list[int]:
    ranks: list[int] = []
    for at, entry in enumerate(entries):
        level = shared and at > 0 and entry.score == entries[at - 1].score
        ranks.append(ranks[-1] if level else at + 1)
    return ranks


async def _fetch(
    service: Target, board: str, query: Mapping[str, str]
) -> tuple[TopScores, DescribedBoard]:
    path = f"/api/boards/{quote(board, safe='')}"
    async with aiohttp.ClientSession(
        headers=service.headers, timeout=aiohttp.ClientTimeout(total=10)
    ) as session:
        top_path = f"{path}/top?{urlencode(query)}" if query else f"{path}/top"
        top = await _read(session, service.url, top_path, TopScores)
        return top, await _read(session, service.url, path, DescribedBoard)


async def _read(session: aiohttp.ClientSession, url: str, path: str, answer: type[T]) -> T:
    try:
        async with session.get(url + path) as response:
            body = await response.read()
        if response.status == 200:
            return msgspec.json.decode(body, type=answer)
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{url} does not answer as Scoreboard does") from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ConfigurationError(f"{url} does not answer: {error}") from error
    raise ConfigurationError(f"{problem.get('code')}: {problem.get('detail')}")
