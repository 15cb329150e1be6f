"""The processes of a deployment, which are configured by their environment. They run without what
parses options, and each without the parts of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import uvloop

from scoreboard.assembly.descriptors import check_limit
from scoreboard.assembly.startup import configure


def run(role: Literal["serve", "persist"], environ: Mapping[str, str]) -> None:
    """Runs until the process is told to stop. Raises ConfigurationError when the role can't run as
    it is configured."""
    check_limit()  # before what needs descriptors itself
    if role == "serve":
        from scoreboard.assembly.service import serve as process
    else:
        from scoreboard.assembly.persistence import persist as process
    uvloop.run(process(configure(environ)))
