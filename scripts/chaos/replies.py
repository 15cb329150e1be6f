"""Lost replies alone: every Nth reply of Redis does not arrive, and each action counts once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scoreboard.domain.actions import MAX_BATCH
from scripts.chaos.actions import BOARDS, Action, Book
from scripts.chaos.audit import audit
from scripts.chaos.clients import Client
from scripts.chaos.proxy import Loss, lose_every, lose_none
from scripts.chaos.run import Progress, drained
from scripts.chaos.service import running
from scripts.chaos.stack import Stack
from scripts.load.api import Api
from scripts.load.replies import Reply

CLIENTS = 8
PAUSE = 0.1  # seconds until a call is repeated


async def run(
    folder: Path, *, seed: int, actions: int, every: int, loss: Loss, progress: Progress
) -> dict[str, Any]:
    """Posts ``actions`` while each ``every``-th reply is lost, then posts all of them again."""
    book = Book(actions)
    # Silence lasts until the service gives up, so it gives up soon.
    settings = {"REDIS_TIMEOUT": "0.3" if loss is Loss.SILENCE else "30"}
    async with running(Stack(folder, servers=1, persisters=1, settings=settings)) as stack:
        began = time.monotonic()
        async with stack.apis() as apis:
            await _open_boards(apis[0], book)
            stack.proxy.judge = lose_every(every, loss)
            clients = [Client(n, seed, apis, book, lambda: True) for n in range(CLIENTS)]
            telling = asyncio.create_task(_tell(book, stack, progress))
            await asyncio.gather(*(client.run() for client in clients))
            telling.cancel()
            stack.proxy.judge = lose_none
            answers = dict(sorted(book.answers.items()))
            progress("posting everything again")
            again = await _post_again(apis[0], book)
        await drained(stack)
        await audit(stack, book, ())
    return {
        "seed": seed,
        "loss": loss.value,
        "every": every,
        "seconds": round(time.monotonic() - began, 1),
        "actions": len(book.actions),
        "lost_replies": stack.proxy.lost,
        "answers": answers,
        "answers_to_retries": dict(again),
        "violations": book.violations,
    }


async def _open_boards(api: Api, book: Book) -> None:
    """Else the first actions on a board could meet one that is being made."""
    for board in BOARDS:
        action = Action(board, "user0", "first", 1)
        book.actions.append(action)
        (reply,) = await _settled(api, board, [action])
        assert reply.status in (200, 409), reply
        assert reply.score is not None
        action.acknowledge("redis", reply.score, time.monotonic())


async def _post_again(api: Api, book: Book) -> Counter[str]:
    """Every retry has to learn its first result."""
    answers: Counter[str] = Counter()
    boards: dict[str, list[Action]] = {}
    for action in book.actions:
        if not action.given_up:
            boards.setdefault(action.board, []).append(action)
    for board, all_of_it in boards.items():
        for at in range(0, len(all_of_it), MAX_BATCH):
            batch = all_of_it[at : at + MAX_BATCH]
            found = await _settled(api, board, batch)
            for action, reply in zip(batch, found, strict=True):
                answers[reply.name] += 1
                if (reply.status, reply.score) != (409, action.score):
                    book.violation(action, f"was told {action.score} first and now {reply}")
    return answers


async def _settled(api: Api, board: str, actions: Sequence[Action]) -> list[Reply]:
    """The reply to each, once the service is not too busy for any."""
    while True:
        replies = await api.submit(board, [action.body for action in actions])
        if all(reply.status != 503 for reply in replies):
            return replies
        await asyncio.sleep(PAUSE)


async def _tell(book: Book, stack: Stack, progress: Progress) -> None:
    while True:
        await asyncio.sleep(2)
        known = sum(action.level is not None for action in book.actions)
        progress(f"{known:,} of {book.limit:,} acknowledged, {stack.proxy.lost:,} replies lost")
