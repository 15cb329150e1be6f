"""Every call of the description with values that Schemathesis makes, good and bad."""

from __future__ import annotations

import asyncio
import os
import sys

from scripts.hostile.ground import Ground

# Who asks for a board while it is cleared, for one, is told to come again.
MAY_BE_BUSY = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
"""


async def schemas(ground: Ground) -> str:
    """Runs Schemathesis on all calls with a token that has every scope."""
    settings = ground.folder / "schemathesis.toml"
    settings.write_text(MAY_BE_BUSY)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)),
        *("run", f"{ground.target.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {ground.target.token}"),
        *("--checks", "not_a_server_error", "--seed", str(ground.rng.randrange(10**6))),
        *("--max-examples", str(max(3, round(2 * ground.seconds))), "--request-timeout", "5"),
        *("--workers", "2", "--no-color", "--continue-on-failure"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "scripts.hostile.spared"},
    )
    try:
        async with asyncio.timeout(20 * ground.seconds + 60):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        ground.find("Schemathesis did not come to an end")
        return "cut off"
    text = told.decode(errors="replace").replace(ground.target.token, "TOKEN")
    if process.returncode != 0:
        ground.find(f"Schemathesis: {text[-4000:]}")
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip("= ") if lines else "it said nothing"
