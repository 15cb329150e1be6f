"""The examples of a document, pasted into a shell one after the other as a reader does."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scoreboard.local.embedded_servers import postgres_binaries
from tests.support.command import named
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service

_BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
_FENCED = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)  # what must not be indented
_CALL = re.compile(r"curl |for |psql |NEXT=|\.venv/bin/(?:scoreboard|python) ")
_ANSWER = re.compile(r"\{|HTTP/")
_BETWEEN = "====="  # the answers of two calls
_PROGRAM = re.compile(r"\.venv/bin/(scoreboard|python)")
_HERE = {"scoreboard": f"{sys.executable} -m scoreboard", "python": sys.executable}
_CHANGING = [  # what is another one each time: moments, versions, events, places in a table
    (re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"'), '"then"'),
    (re.compile(r'"version":\d+'), '"version":0'),
    (re.compile(r'"\d{13}-\d+"'), '"event"'),
    (re.compile(r'"next":"[\w-]+"'), '"next":"place"'),
]


@dataclass
class Example:
    """Calls, and the answers that stand below them: all but those to PUT, which are left out."""

    calls: list[str] = field(default_factory=list)
    answer: str = ""

    @property
    def reads(self) -> bool:
        return not any(re.search(r" (-X|-d) ", call) for call in self.calls)


def examples(text: str) -> Iterator[Example]:
    """The examples with calls of the Markdown ``text``, in order."""
    text = _FENCED.sub(lambda fenced: textwrap.indent(fenced[1], "    "), text)
    for block in _BLOCK.findall(text):
        example = Example()
        answering = True
        for line in (line[4:] for line in block.splitlines()):
            if _CALL.match(line):
                if example.answer:
                    yield example
                    example = Example()
                example.calls.append(line)
                answering = False
            elif _ANSWER.match(line) or answering:
                answering = True
                example.answer += f"{line}\n"
            else:
                example.calls[-1] += f"\n{line}"
        if example.calls:
            yield example


async def check(example: Example, running: Service) -> None:
    """Pastes the calls. Fails unless the answers are those of the document, but for moments,
    versions and cursors."""

    async def answered() -> bool:
        told = await pasted(example.calls, running)
        shown = [
            answer for call, answer in zip(example.calls, told, strict=True) if "PUT" not in call
        ]
        return not example.answer or _same("".join(shown), example.answer)

    if example.reads:  # some come from Postgres, which has what was posted a moment later
        await wait_until(answered, description=f"{example.calls} answers {example.answer}")
    else:
        assert await answered(), example


async def pasted(calls: list[str], running: Service) -> list[str]:
    """What each call prints, with the variables that the documents tell to set."""
    text = _PROGRAM.sub(lambda name: _HERE[name[1]], f"\nprintf '{_BETWEEN}'\n".join(calls))
    shell = await asyncio.create_subprocess_exec(
        "bash", "-ec", text,
        env={
            **named(running.settings.redis_url, running.settings.database_url),
            "PATH": f"{postgres_binaries()}:/usr/bin:/bin",
            "URL": running.url,
            "PLAYFAB_SECRET": "secret",
            "TOKEN": running.token(),
            "ADMIN": running.token("admin"),
        },
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(shell.communicate(), PATIENCE)
    assert shell.returncode == 0, calls
    return out.decode().replace("\r", "").split(_BETWEEN)


def _same(told: str, shown: str) -> bool:
    return _documents(told) == _documents(shown) and all(
        header in told.splitlines() for header in _headers(shown)
    )


def _headers(text: str) -> list[str]:
    return re.findall(r"^(?:HTTP/|[A-Z][\w-]+:).*$", text, re.MULTILINE)


def _documents(text: str) -> list[Any]:
    """Each JSON object of the text."""
    found: list[Any] = []
    for pattern, same in _CHANGING:
        text = pattern.sub(same, text)
    while (start := text.find("{")) >= 0:
        value, end = json.JSONDecoder().raw_decode(text[start:])
        found.append(value)
        text = text[start + end :]
    return found
