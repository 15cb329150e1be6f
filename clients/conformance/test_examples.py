"""The examples run as their READMEs say, and READMEs show them as they are."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from clients.conformance.drivers import CLIENTS, KINDS, Kind
from scripts.load.target import Target

READMES = sorted(CLIENTS.glob("*/README.md"))
EXAMPLES = [(kind, arguments, board) for kind in KINDS for arguments, board in kind.examples]


def named(arguments: tuple[str, ...]) -> str:
    """What is run: the first argument that is no option and no number."""
    return next(
        Path(argument).name
        for argument in reversed(arguments)
        if not (argument.isdigit() or argument.startswith("-"))
    )


def test_readmes_show_examples_as_they_are() -> None:
    shown = 0
    for readme in READMES:
        text = readme.read_text(encoding="utf-8")
        for name, block in re.findall(r"<!-- (\S+) -->\n(.*?)<!-- end -->", text, re.DOTALL):
            example = (readme.parent / name).read_text(encoding="utf-8")
            assert textwrap.dedent(block) == example, f"{name} in {readme}"
            shown += 1
    assert shown == len({kind.folder for kind in KINDS})


@pytest.mark.parametrize(
    ("kind", "arguments", "board"),
    EXAMPLES,
    ids=[f"{kind.name}-example {named(arguments)}" for kind, arguments, _ in EXAMPLES],
    indirect=["kind"],
)
def test_example(
    kind: Kind, arguments: tuple[str, ...], board: str, service: Target, tmp_path: Path
) -> None:
    environment = kind.environment() | {
        "XDG_DATA_HOME": str(tmp_path),
        "SCOREBOARD_URL": service.url, "SCOREBOARD_TOKEN": service.token
    }  # fmt: skip
    subprocess.run(arguments, cwd=tmp_path, env=environment, check=True, timeout=120)

    request = Request(f"{service.url}/api/boards/{board}/users/ada")
    request.add_header("Authorization", f"Bearer {service.token}")
    with urlopen(request) as response:
        assert json.load(response)["score"] > 0
