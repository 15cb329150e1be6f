"""A game server with asyncio: matches go on, whatever becomes of the network, and a screen shows
the board live, and who passes whom. ``python game_server.py [MATCHES]``."""

import asyncio
import os
import random
import sys

from scoreboard_client import (
    Action,
    AsyncScoreboard,
    Journal,
    Outcome,
    Overtaken,
    Refused,
    Retry,
    State,
    Top,
    Watch,
)

PLAYERS = ("ada", "bob", "cy")


def settled(action: Action, outcome: Outcome) -> None:
    if isinstance(outcome, Refused):
        print(f"{action.user_id}: {action.action_id} does not count ({outcome.code})")


def retried(retry: Retry) -> None:
    print(f"{retry.error.code}: again in {retry.seconds:.1f} s")


async def screen(watch: Watch) -> None:
    async for event in watch:
        match event:
            case Top(top_scores=rows):
                print(" | ".join(f"{row.user_id} {row.score}" for row in rows))
            case Overtaken(user_id=player, by=by, rank=rank):
                print(f"{by.user_id} overtook {player}, who is number {rank} now")
            case State(name="waiting", reason=reason, seconds=seconds):
                print(f"the board may be old: {reason}, again in {seconds:.1f} s")


async def main(matches: int) -> None:
    async with AsyncScoreboard(
        os.environ["SCOREBOARD_URL"],
        token=lambda: os.environ["SCOREBOARD_TOKEN"],
        board="arena",
        store=Journal("arena.journal"),
        on_settled=settled,
        on_retry=retried,
    ) as scores:
        watching = asyncio.create_task(screen(scores.watch(players=PLAYERS)))
        for match in range(matches):
            for player in PLAYERS:
                scores.submit(player, random.randrange(1, 20), context={"actionType": "kill"})
            await asyncio.sleep(0.2)
            print(f"match {match + 1} is over; {scores.waiting} actions are on their way")
        await scores.flush()
        watching.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
