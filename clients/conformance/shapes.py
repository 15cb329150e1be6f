"""The clients' types, written from the service's description, so that the two can't part.

``python -m clients.conformance.shapes`` writes the files; a test compares them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from scoreboard.api import asyncapi, catalogue, openapi
from scoreboard.api.players.catalogue import player_operations
from scoreboard.api.players.past_catalogue import past_operations

CLIENTS = Path(__file__).parents[1]

# What the calls that clients make answer with; what these contain is found by itself.
ANSWERS = [
    "Accepted",
    "Joined",
    "BoardPage",
    "DescribedBoard",
    "TopScores",
    "StandingsPage",
    "ScoreRank",
    "UserPlace",
    "Neighbours",
    "Lookup",
    "FoundOnBoard",
    "OccurrencePage",
    "UserProfile",
    "ProfileList",
    "History",
    "Explanation",
]

# What a WebSocket tells of players, with the clients' names: those of reads are others.
MESSAGES = {"StandingMessage": "PlayerStanding", "Overtaken": "Overtaken"}

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """The schemas of ANSWERS, of MESSAGES and of what they contain, each after those that it
    needs."""
    calls = catalogue.operations(Mock(), Mock(), Mock(), Mock(), Mock(), observed_here=False)
    calls += player_operations(Mock(), Mock(), Mock(), Mock()) + past_operations(Mock(), Mock())
    described = json.loads(openapi.describe(calls))["components"]["schemas"]
    live = json.loads(asyncapi.describe_live())["components"]["schemas"]
    described |= {name: live[name] for name in (*MESSAGES, "Passer")}
    for name in MESSAGES:  # which leave nothing out that has a default
        properties = live[name]["properties"]
        live[name]["required"] += (one for one, kind in properties.items() if "default" in kind)
    found: dict[str, Schema] = {}

    def find(name: str) -> None:
        if name in found:
            return
        for needed in re.findall(r"#/components/schemas/(\w+)", json.dumps(described[name])):
            find(needed)
        found[name] = described[name]

    for name in (*ANSWERS, *MESSAGES):
        find(name)
    return {MESSAGES.get(name, name): schema for name, schema in found.items()}


def described(schema: Schema) -> list[str]:
    """The description, in lines of at most 86 characters."""
    words = " ".join(schema["description"].split()).replace("``", "`").split(" ")
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > 85:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def untagged(schema: Schema) -> Schema:
    """The schema without the member by which messages are told apart, where classes do that."""
    properties = {name: kind for name, kind in schema["properties"].items() if name != "type"}
    return {**schema, "properties": properties}


def members(schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """Name, schema and presence of each member, those that may be missing last."""
    needed = schema["required"]
    properties = schema["properties"].items()
    for always in (True, False):
        for name, member in properties:
            if (name in needed) is always:
                yield name, member, always


def snake(name: str) -> str:
    """Python's form of a member's name."""
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


def python_type(schema: Schema) -> str:
    """The annotation."""
    match schema:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"anyOf": [one, {"type": "null"}]}:
            return f"{python_type(one)} | None"
        case {"enum": values}:
            return f"Literal[{', '.join(json.dumps(value) for value in values)}]"
        case {"type": "array"}:
            return f"list[{python_type(schema['items'])}]" if "items" in schema else "list[Any]"
        case {"type": "object"}:
            return f"dict[str, {python_type(schema.get('additionalProperties', {}))}]"
        case {} if not schema:
            return "Any"
        case {"type": kind}:
            return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[kind]
    raise ValueError(schema)


def python() -> str:
    """The module ``scoreboard_client/types.py``."""
    body: list[str] = []
    for name, schema in schemas().items():
        about = [line.replace("`", "``") for line in described(schema)]
        about[-1] += '"""'
        body += ["", "", "@dataclass(frozen=True)", f"class {name}:"]
        body += [f'    """{about[0]}', *(f"    {line}" for line in about[1:]), ""]
        for member, kind, always in members(untagged(schema)):
            annotation = python_type(kind)
            if always:
                body.append(f"    {snake(member)}: {annotation}")
            elif annotation.startswith(("list", "dict")):
                made = f"field(default_factory={annotation[:4]})"
                body.append(f"    {snake(member)}: {annotation} = {made}")
            elif (default := kind.get("default")) is not None:
                value = json.dumps(default) if isinstance(default, str) else repr(default)
                body.append(f"    {snake(member)}: {annotation} = {value}")
            else:
                annotation = f"{annotation.removesuffix(' | None')} | None"
                body.append(f"    {snake(member)}: {annotation} = None")
    text = "\n".join(body)
    needed = {
        "dataclasses": ["dataclass", "field"] if "field(" in text else ["dataclass"],
        "typing": [
            name for name in ("Any", "Literal") if re.search(rf"\b{name}\[|\W{name}\]", text)
        ],
    }
    lines = [
        '"""What the service answers, as its description says.',
        "",
        "Written by ``python -m clients.conformance.shapes``, not by hand.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
    ]
    for module, names in needed.items():
        lines += [f"from {module} import {', '.join(names)}"] if names else []
    return "\n".join(lines) + "\n" + text + "\n"


def typescript_type(schema: Schema) -> str:
    """The type."""
    match schema:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"anyOf": [one, {"type": "null"}]}:
            return f"{typescript_type(one)} | null"
        case {"enum": values}:
            return " | ".join(json.dumps(value) for value in values)
        case {"type": "array"}:
            return f"{typescript_type(schema['items'])}[]" if "items" in schema else "unknown[]"
        case {"type": "object"}:
            return f"Record<string, {typescript_type(schema.get('additionalProperties', {}))}>"
        case {} if not schema:
            return "unknown"
        case {"type": kind}:
            return "number" if kind == "integer" else str(kind)
    raise ValueError(schema)


def typescript() -> str:
    """The declarations ``answers.d.ts``."""
    lines = [
        "// What the service answers, as its description says.",
        "// Written by `python -m clients.conformance.shapes`, not by hand.",
    ]
    for name, schema in schemas().items():
        about = described(schema)
        lines += ["", f"/** {about[0]}", *(f" * {line}" for line in about[1:])]
        lines[-1] += " */"
        lines.append(f"export interface {name} {{")
        for member, kind, always in members(schema):
            lines.append(f"  {member}{'' if always else '?'}: {typescript_type(kind)};")
        lines.append("}")
    return "\n".join(lines) + "\n"


# No member of a class may have its name.
CSHARP_NAMES = {("TopScores", "topScores"): "Rows", ("Joined", "joined"): "IsIn"}


def csharp_type(schema: Schema) -> str:
    """The type; what is no reference can be null where the schema says so."""
    match schema:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"anyOf": [one, {"type": "null"}]}:
            kind = csharp_type(one)
            return f"{kind}?" if kind in {"long", "double", "bool"} else kind
        case {"enum": _}:
            return "string"
        case {"type": "array"}:
            item = csharp_type(schema["items"]) if "items" in schema else "object"
            return f"IReadOnlyList<{item}>"
        case {"type": "object"}:
            item = csharp_type(schema.get("additionalProperties", {}))
            return f"IReadOnlyDictionary<string, {item}>"
        case {} if not schema:
            return "object"
        case {"type": kind}:
            kinds = {"string": "string", "integer": "long", "number": "double", "boolean": "bool"}
            return kinds[kind]
    raise ValueError(schema)


def csharp_read(schema: Schema, value: str) -> str:
    """The expression that makes the member of its JSON."""
    match schema:
        case {"$ref": reference}:
            return f"{str(reference).rpartition('/')[2]}.From({value})"
        case {"anyOf": [one, {"type": "null"}]}:
            kind = csharp_type(schema)
            return f"{value} == null ? ({kind})null : {csharp_read(one, value)}"
        case {"type": "array"}:
            item = csharp_read(schema["items"], "one") if "items" in schema else "one"
            return f"Json.List({value}, one => {item})"
        case {"type": "object"}:
            item = csharp_read(schema.get("additionalProperties", {}), "one")
            return f"Json.Map({value}, one => {item})"
        case {} if not schema:
            return value
        case {"type": "integer"}:
            return f"Json.Integer({value})"
        case {"type": "number"}:
            return f"Json.Number({value})"
    return f"({csharp_type(schema)}){value}"


def csharp() -> str:
    """The file ``src/Answers.cs``."""
    lines = [
        "// What the service answers, as its description says.",
        "// Written by `python -m clients.conformance.shapes`, not by hand.",
        "using System.Collections.Generic;",
        "",
        "namespace ScoreboardClient",
        "{",
    ]
    for name, schema in schemas().items():
        about = [line.replace("<", "&lt;") for line in described(schema)]
        lines += [f"    /// <summary>{about[0]}", *(f"    /// {line}" for line in about[1:])]
        lines[-1] += "</summary>"
        base = " : WatchEvent" if name in MESSAGES.values() else ""
        lines += [f"    public sealed class {name}{base}", "    {"]
        reads = []
        for member, kind, always in members(untagged(schema)):
            title = CSHARP_NAMES.get((name, member), member[0].upper() + member[1:])
            value = f'it["{member}"]' if always else f'it.Maybe("{member}")'
            default = kind.get("default")
            if default is not None:
                literal = json.dumps(default) + ("L" if kind["type"] == "integer" else "")
                value = f"({value} ?? {literal})"
            told = always or default is not None or "anyOf" in kind
            wanted = kind if told else {"anyOf": [kind, {"type": "null"}]}
            lines += [f"        public {csharp_type(wanted)} {title} {{ get; private set; }}", ""]
            reads.append(f"                {title} = {csharp_read(wanted, value)},")
        lines += [
            f"        internal static {name} From(object told)",
            "        {",
            "            var it = (Dictionary<string, object>)told;",
            f"            return new {name}",
            "            {",
            *reads,
            "            };",
            "        }",
            "    }",
            "",
        ]
    return "\n".join(lines[:-1]) + "\n}\n"


FILES = {
    CLIENTS / "csharp" / "src" / "Answers.cs": csharp,
    CLIENTS / "python" / "scoreboard_client" / "types.py": python,
    CLIENTS / "javascript" / "answers.d.ts": typescript,
}

if __name__ == "__main__":
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
