"""What a service costs of which nobody asks anything: CPU of each of its processes.

    python -m scripts.bench.rest [--seconds 60]

That of `scoreboard up` itself is not among them.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console

from scripts.bench.figures import Bound, JsonFile, report
from scripts.load import cpu, service

SETTLE = 20.0  # seconds after the start until it rests
ALL = "all of it, % of a core"


def main(
    seconds: Annotated[float, typer.Option(help="How long to look.", min=1)] = 60.0,
    json: JsonFile = None,
) -> None:
    """Measure a whole service at rest; a minute and a half."""
    with Console().status("at rest"), service.of_our_own(1) as server:
        assert server.pid is not None
        time.sleep(SETTLE)
        since, before = time.perf_counter(), cpu.parts(server.pid)
        time.sleep(seconds)
        after, passed = cpu.parts(server.pid), time.perf_counter() - since
    shares = {part: (after[part] - before[part]) / passed * 100 for part in after}
    figures = {f"{part}, % of a core": share for part, share in shares.items()}
    report({ALL: sum(shares.values()), **figures}, json, targets={ALL: Bound(0.3)})


if __name__ == "__main__":
    typer.run(main)
