"""``scoreboard revert``: takes one action back."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from scoreboard.assembly.moderation import moderator
from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import ACTOR, DataDirOption
from scoreboard.commands.progress import tell_wait
from scoreboard.commands.terminal import say
from scoreboard.domain.boards import check_board_name
from scoreboard.domain.reviews import MAX_REASON, GivenReason
from scoreboard.settings import Settings


def revert_command(
    user: Annotated[str, typer.Argument(help="The player's id.")],
    action: Annotated[str, typer.Argument(help="The action's id.")],
    board: Annotated[str, typer.Option(help="The board on which it counted.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
    data_dir: DataDirOption = None,
) -> None:
    """Take one action back, wherever it counts.

    It leaves the totals of all tables, can't be made to count again, and its game may
    send it again without effect. An action about which a case is open is decided on in the review
    queue instead. When this is interrupted, repeat it.
    """
    try:
        msgspec.convert(reason, GivenReason)
    except msgspec.ValidationError:
        raise typer.BadParameter(
            f"1 to {MAX_REASON} characters that can be printed", param_hint="--reason"
        ) from None
    check_board_name(board)
    asyncio.run(_revert(load_settings(data_dir), board, user, action, reason))
    say(f"{board}  {user}  {action}  taken back")


async def _revert(settings: Settings, board: str, user: str, action: str, reason: str) -> None:
    async with operator(settings, on_wait=tell_wait) as tools:
        decides = moderator(settings, tools.redis, tools.pool, tools.durable)
        await decides.revert(board, user, action, by=ACTOR, reason=reason)
