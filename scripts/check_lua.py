"""Checks lua/*.lua as Redis gets them: syntax of Lua 5.1, undefined and assigned globals, unused
locals, functions and arguments, and heads that name KEYS, ARGV and replies.

A local of a shared piece (lua/lib_*.lua) has to be used by one of the scripts that include it.
Exit code 1 when there is something to say."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from luaparser import ast, astnodes

from scoreboard.redisio.script_source import expand, lua_files
from scoreboard.wire import scripts
from scoreboard.wire.scripts import Script

GLOBALS = {
    *("KEYS", "ARGV", "redis", "cjson", "cmsgpack", "bit", "struct", "math", "string", "table"),
    *("assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring"),
    *("type", "unpack", "xpcall"),
}
READS = {
    *("EXISTS", "GET", "HGET", "HMGET", "INFO", "MGET", "TIME", "XINFO", "XLEN", "XREAD"),
    *("ZCARD", "ZMSCORE", "ZRANGE", "ZRANK", "ZREVRANGE", "ZREVRANK", "ZSCORE"),
}
NOT_LUA_51 = (
    astnodes.FloorDivOp,
    astnodes.BitOp,
    astnodes.UBNotOp,
    astnodes.Goto,
    astnodes.Label,
    astnodes.Attribute,
)


@dataclass
class Local:
    name: str
    line: int
    used: bool = False


@dataclass
class Findings:
    """Of one expanded script: what is wrong, as (line, text), and all its locals."""

    problems: list[tuple[int, str]] = field(default_factory=list)
    declared: list[Local] = field(default_factory=list)


class Resolver:
    """Walks a script with Lua's scopes."""

    def __init__(self) -> None:
        self.findings = Findings()
        self._scopes: list[dict[str, Local]] = [{}]
        self._line = 0

    def visit(self, node: object) -> None:
        """Look at ``node`` and everything below it, in the order in which Lua sees names."""
        if isinstance(node, list):
            for part in node:
                self.visit(part)
            return
        if not isinstance(node, astnodes.Node):
            return
        self._line = node.line or self._line
        if isinstance(node, NOT_LUA_51):
            self._problem(f"{type(node).__name__} is not in Lua 5.1")
        match node:
            case astnodes.LocalAssign():
                line = self._line
                self.visit(node.values)
                self._declare(node.targets, line)
            case astnodes.Assign():
                self.visit(node.values)
                for target in node.targets:
                    self._assign(target)
            case astnodes.LocalFunction():
                self._declare([node.name], self._line)
                self._function(node.args, node.body)
            case astnodes.Function():
                self._assign(node.name)
                self._function(node.args, node.body)
            case astnodes.Method():
                self.visit(node.source)
                self._function(node.args, node.body)
            case astnodes.AnonymousFunction():
                self._function(node.args, node.body)
            case astnodes.Fornum():
                self.visit([node.start, node.stop, node.step])
                self._block([node.target], node.body)
            case astnodes.Forin():
                self.visit(node.iter)
                self._block(node.targets, node.body)
            case astnodes.Repeat():  # its condition sees the locals of its body
                self._block([], [node.body.body, node.test])
            case astnodes.Block():
                self._block([], node.body)
            case astnodes.Name():
                self._use(node)
            case astnodes.Index():
                self.visit(node.value)
                if node.notation is astnodes.IndexNotation.SQUARE:
                    self.visit(node.idx)
            case astnodes.Invoke():
                self.visit([node.source, node.args])
            case astnodes.Field():
                if node.between_brackets:
                    self.visit(node.key)
                self.visit(node.value)
            case _:
                self.visit([part for name, part in vars(node).items() if name != "comments"])

    def _function(self, args: list[astnodes.Expression], body: astnodes.Block) -> None:
        self._block([arg for arg in args if isinstance(arg, astnodes.Name)], body)

    def _block(self, names: list[astnodes.Name], body: object) -> None:
        self._scopes.append({})
        self._declare(names, self._line)
        self.visit(body.body if isinstance(body, astnodes.Block) else body)
        self._scopes.pop()

    def _declare(self, names: list[astnodes.Name], line: int) -> None:
        for name in names:
            local = Local(name.id, line)
            self._scopes[-1][name.id] = local
            self.findings.declared.append(local)

    def _lookup(self, name: str) -> Local | None:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def _use(self, node: astnodes.Name) -> None:
        local = self._lookup(node.id)
        if local:
            local.used = True
        elif node.id not in GLOBALS:
            self._problem(f"undefined global {node.id!r}")

    def _assign(self, target: astnodes.Node) -> None:
        if not isinstance(target, astnodes.Name):
            self.visit(target)
        elif not self._lookup(target.id):
            self._problem(f"assignment to global {target.id!r}")

    def _problem(self, text: str) -> None:
        self.findings.problems.append((self._line, text))


def analyse(source: str) -> Findings:
    """What there is to say about the expanded text of a script. Raises SyntaxException."""
    resolver = Resolver()
    resolver.visit(ast.parse(re.sub(r"\A#!.*", "", source)))
    return resolver.findings


def head_problems(script: Script[Any], text: str) -> Iterator[str]:
    """What is missing in the comment at the head of a script's own file."""
    first, *rest = text.split("\n")
    if not first.startswith("#!lua"):
        yield "does not start with a #!lua line"
    length = next((i for i, line in enumerate(rest) if not line.startswith("--")), len(rest))
    head = "\n".join(rest[:length])
    if not head.startswith(f"-- {script.name}: "):
        yield f"does not begin with a comment '-- {script.name}: what it does'"
    sections = re.split(r"^-- (KEYS|ARGV|Replies)\b", head, flags=re.MULTILINE)
    said = dict(zip(sections[1::2], sections[2::2], strict=True))
    for section, names in (("KEYS", script.keys), ("ARGV", script.args), ("Replies", ())):
        if section not in said:
            yield f"the head has no section {section}"
            continue
        for name in (name.removeprefix("key_").removeprefix("arg_") for name in names):
            if not re.search(rf"\b{name}\b", said[section]):
                yield f"the head's {section} do not name {name!r}"
    # The fixed keys stand in one line; what follows a semicolon comes for each action.
    fixed = re.findall(r"\w+", said.get("KEYS", "").split("\n")[0].partition(";")[0])
    known = {name.removeprefix("key_") for name in script.keys} or {"none"}
    if surplus := sorted(set(fixed) - known):
        yield f"the head's KEYS name {surplus}, which the signature has not"


def only_reads(source: str) -> bool:
    """Whether the expanded text of a script calls nothing that writes."""
    return set(re.findall(r"\b(?:p?call|try)\('(\w+)'", source)) <= READS


def main() -> int:
    signatures = {s.name: s for s in vars(scripts).values() if isinstance(s, Script)}
    files = lua_files()
    problems = [
        f"lua/{name}.lua: has no signature in wire/scripts.py"
        for name in files
        if not name.startswith("lib_") and name not in signatures
    ]
    problems += [
        f"wire/scripts.py: {name} has no lua/{name}.lua"
        for name in signatures.keys() - files.keys()
    ]
    signatures = {name: script for name, script in signatures.items() if name in files}
    in_pieces = {
        line.strip()
        for name, text in files.items()
        if name.startswith("lib_")
        for line in text.splitlines()
    }
    unused_shared: dict[tuple[str, str], bool] = {}
    for name, script in sorted(signatures.items()):
        source = expand(script)
        lines = ["", *source.splitlines()]
        problems += [f"lua/{name}.lua: {text}" for text in head_problems(script, files[name])]
        if only_reads(source) and "flags=no-writes" not in lines[1]:
            problems.append(f"lua/{name}.lua: only reads, and is not marked flags=no-writes")
        try:
            findings = analyse(source)
        except ast.SyntaxException as error:
            problems.append(f"lua/{name}.lua (expanded): {error}")
            continue
        found = list(findings.problems)
        for local in findings.declared:
            if local.name.startswith("_"):
                continue
            line = lines[local.line].strip()
            if line in in_pieces:
                known_unused = unused_shared.get((local.name, line), True)
                unused_shared[local.name, line] = known_unused and not local.used
            elif not local.used:
                found.append((local.line, f"unused {local.name!r}"))
        problems += [f"lua/{name}.lua: {text} in: {lines[at].strip()}" for at, text in found]
    problems += [
        f"lua/lib_*.lua: {name!r} is used by no script, in: {line}"
        for (name, line), unused in unused_shared.items()
        if unused
    ]
    print("\n".join(problems) or f"{len(signatures)} Lua scripts are in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
