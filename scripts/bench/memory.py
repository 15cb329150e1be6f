"""What Redis holds for a user and for a receipt: python -m scripts.bench.memory [--json FILE]

Fills a board of 1,000,000 users, lets submit_scores write receipts and events in a server of its
own, and prints what used_memory grew by. Then the same receipts are written in other forms, to show
what each part costs. A day of 1,000 actions a second makes 86.4 million receipts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from scoreboard.redisio.script_line import pack
from scoreboard.wire.receipts import Kept, receipt
from scripts.bench.figures import JsonFile, report, write
from scripts.bench.script_calls import DAY_MS, FullBoard, Line, running, user_name

RECEIPTS_A_DAY = 86_400_000
BATCH = 1_000
DAY = b"%d" % DAY_MS


def used(redis: Any) -> int:
    """Bytes in use, without the buffers of clients and of the append-only file."""
    memory = redis.info("memory")
    return int(memory["used_memory"] - memory["mem_clients_normal"] - memory["mem_aof_buffer"])


def grown(redis: Any, write: Callable[[], None]) -> int:
    """What ``write`` adds to the bytes in use."""
    before = used(redis)
    write()
    return used(redis) - before


def as_written(board: FullBoard, number: int) -> tuple[bytes, bytes]:
    """Name and text of a receipt as submit_scores writes them."""
    user, action = user_name(number % board.users), f"match-{number // 32}:kill-{number}"
    text = receipt(
        Kept.ACCEPTED,
        points=number % 100,
        score=number % 10**6,
        attempt=f"Zk3vQ9sX{number:x}",
        event=f"{1_795_500_000_000 + number // 4}-{number % 4}",
    )
    return board.keys.action(user.encode(), action.encode()), text.encode()


# Other forms of the same receipt, to see what its parts cost: from (name, text) to a command.
FORMS: dict[str, Callable[[bytes, bytes], tuple[bytes, ...]]] = {
    "as it is": lambda name, text: (b"SET", name, text, b"PX", DAY),
    "without an expiry": lambda name, text: (b"SET", name, text),
    "text of 20 bytes": lambda name, text: (b"SET", name, text[:20], b"PX", DAY),
    "text of 60 bytes": lambda name, text: (b"SET", name, text.ljust(60, b"."), b"PX", DAY),
    "name 16 bytes shorter": lambda name, text: (b"SET", name[16:], text, b"PX", DAY),
    "hash field, 32 a hash, one expiry": lambda name, text: (
        *(b"HSET", name.partition(b":match-")[2].partition(b":")[0]),
        *(name[-16:], text),
    ),
}


def main(
    users: int = 1_000_000,
    receipts: int = 200_000,
    server: Annotated[
        Path | None, typer.Option(help="A redis-server to use in place of Valkey.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Measure what Redis holds for a user and for a receipt."""
    count = receipts
    with running(server) as (valkey, redis):
        line = Line(valkey.url)
        boards: list[FullBoard] = []
        zset = grown(redis, lambda: boards.append(FullBoard(redis, "global", users)))
        (board,) = boards
        figures = {"user on the board": zset / users}

        def submit() -> None:
            for _ in range(count // BATCH):
                line.run([board.call(BATCH)], 1)

        both = grown(redis, submit)
        events = -grown(redis, lambda: redis.xtrim(board.keys.events, maxlen=0, approximate=False))
        figures["receipt"] = (both - events) / count
        figures["event, until it is persisted"] = events / count

        forms = {}
        names = [as_written(board, number) for number in range(count)]
        for form, command in FORMS.items():
            redis.execute_command("FLUSHALL", "SYNC")
            commands = [pack(command(name, text)) for name, text in names]
            forms[form] = grown(redis, lambda: line.run(commands, 500)) / count  # noqa: B023
        line.close()
        info = redis.info()

    version = info.get("valkey_version", info["redis_version"])
    print(f"bytes of used_memory, version {version}, allocator {info['mem_allocator']}")
    report(figures | {f"receipt {form}": size for form, size in forms.items()})
    name, text = as_written(board, count - 1)
    print(f"a receipt's name has {len(name)} bytes, its text {len(text)}: {name!r} {text!r}")
    day = figures["receipt"] * RECEIPTS_A_DAY / 2**30
    print(f"{RECEIPTS_A_DAY:,} receipts of a day: {day:.1f} GiB")
    write({"bytes": figures, "receipt forms": forms, "day, GiB": day}, json)


if __name__ == "__main__":
    typer.run(main)
