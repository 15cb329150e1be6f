"""The pages of the reference that are made from the code: calls, commands, metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import Mock

import typer
from prometheus_client.metrics import MetricWrapperBase

from scoreboard.api import openapi
from scoreboard.api.admin_catalogue import admin_operations
from scoreboard.api.catalogue import operations
from scoreboard.api.operator_catalogue import operator_operations
from scoreboard.api.players.catalogue import player_operations
from scoreboard.api.players.past_catalogue import past_operations
from scoreboard.api.reference import TAGS
from scoreboard.api.sign_in import sign_in_operations
from scoreboard.api.webhook_catalogue import webhook_operations
from scoreboard.commands.program import app
from scoreboard.telemetry import metrics


def described_calls() -> dict[str, Any]:
    """What `/openapi.json` says, but for the pages for people. No call is made here, so that one
    stand-in serves for all handlers."""
    stand_in = Mock()
    found: dict[str, Any] = json.loads(
        openapi.describe(
            [
                *operations(stand_in, stand_in, stand_in, stand_in, stand_in, observed_here=True),
                *past_operations(stand_in, stand_in),
                *admin_operations(stand_in, stand_in, stand_in, stand_in, stand_in),
                *operator_operations(stand_in, stand_in, stand_in, stand_in),
                *player_operations(stand_in, stand_in, stand_in, stand_in),
                *webhook_operations(stand_in),
                *sign_in_operations(stand_in),
            ]
        )
    )
    return found


def calls_page() -> str:
    """Every call of the API, by tag, with its parameters, fields and answers."""
    described = described_calls()
    parts = [
        "# Calls",
        "A running service shows this, with every type in full and examples, at `/docs`; for "
        "programs it is at `/openapi.json`, and the WebSocket's messages at `/asyncapi.json`.",
        described["info"]["description"].replace("\n# ", "\n## ").removeprefix("# "),
    ]
    for tag, about in TAGS.items():
        if tag == "pages":
            continue
        parts += [f"## Calls: {tag}", about]
        for path, methods in described["paths"].items():
            for method, call in methods.items():
                if tag in call["tags"]:
                    parts += _call(f"{method.upper()} {path}", call, described["components"])
    return _page(parts)


def _call(name: str, call: dict[str, Any], components: dict[str, Any]) -> Iterator[str]:
    yield f"### `{name}`"
    yield call["summary"]
    if parameters := call.get("parameters"):
        yield _table(
            ("parameter", "in", "meaning"),
            [(f"`{p['name']}`", p["in"], _sentence(p.get("description", ""))) for p in parameters],
        )
    for content in call.get("requestBody", {}).get("content", {}).values():
        fields = ", ".join(f"`{field}`" for field in _fields(content["schema"], components))
        if fields:
            yield f"Body: {fields}."
    yield _table(
        ("answer", "meaning"),
        [
            (status, _sentence(answer["description"]))
            for status, answer in call["responses"].items()
        ],
    )


def _fields(schema: dict[str, Any], components: dict[str, Any]) -> list[str]:
    named = schema.get("$ref", "").rpartition("/")[2]
    return [*components["schemas"].get(named, schema).get("properties", {})]


def commands_page() -> str:
    """What every command says to ``--help``."""
    parts = ["# Options of every command", "What each command says to `--help`."]
    program: Any = typer.main.get_command(app)
    parts += _helps(program, _context(program, "scoreboard"))
    return _page(parts)


def _context(command: Any, name: str, parent: Any = None) -> Any:
    return command.context_class(command, info_name=name, parent=parent, terminal_width=100)


def _helps(command: Any, context: Any) -> Iterator[str]:
    level = "#" * (1 + min(2, len(context.command_path.split())))
    yield f"{level} `{context.command_path}`"
    yield f"```text\n{command.get_help(context)}\n```"
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from _helps(below, _context(below, name, context))


def metrics_page() -> str:
    """Every metric that a process shows at ``/metrics``."""
    found: list[Any] = [m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)]
    rows = [
        (
            f"`{metric._name}{_SUFFIXES.get(metric._type, '')}`",
            str(metric._type),
            ", ".join(f"`{label}`" for label in metric._labelnames),
            _sentence(metric._documentation),
        )
        for metric in found
    ]
    return _page(
        [
            "# Metrics",
            "Each process shows these at `/metrics`. Which of them call for somebody, and what to "
            "do then, is in the [runbook](../docs/runbook.md).",
            _table(("metric", "kind", "labels", "meaning"), rows),
        ]
    )


# What Prometheus has behind the name.
_SUFFIXES = {"counter": "_total", "info": "_info"}


def _sentence(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _page(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"
