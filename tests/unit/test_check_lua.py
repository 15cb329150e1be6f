"""The checker of the Lua scripts."""

from __future__ import annotations

import pytest
from luaparser import ast

from scoreboard.wire.scripts import Argument, Key, Script
from scripts.check_lua import analyse, head_problems, only_reads


def problems(source: str) -> list[str]:
    return [text for _, text in analyse(source).problems]


def unused(source: str) -> list[str]:
    return [local.name for local in analyse(source).declared if not local.used]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("return totl + 1", "undefined global 'totl'"),
        ("local function f() return g() end local function g() end f()", "undefined global 'g'"),
        ("total = 1", "assignment to global 'total'"),
        ("function total() end", "assignment to global 'total'"),
        ("if KEYS[1] then local x = 1 end return x", "undefined global 'x'"),
        ("for i = 1, 2 do redis.call('PING') end return i", "undefined global 'i'"),
        ("local x = x", "undefined global 'x'"),
        ("return 7 // 2", "FloorDivOp is not in Lua 5.1"),
        ("return 7 & 2", "BAndOp is not in Lua 5.1"),
        ("goto out ::out::", "Goto is not in Lua 5.1"),
    ],
)
def test_a_mistake_with_names_or_versions_is_found(source: str, problem: str) -> None:
    assert problem in problems(source)


@pytest.mark.parametrize(
    "source",
    [
        "local t = {a = 1, ['b'] = 2} return t.c, t['d']",
        "local function f(n) return n == 0 and 1 or n * f(n - 1) end return f(3)",
        "repeat local done = redis.call('PING') until done",
        "for i, key in ipairs(KEYS) do redis.call('DEL', key, i) end",
        "local t = {} t.x, t[1] = 1, 2 return t",
        "return ('x'):rep(3), #ARGV, -1, not true, 'a' .. 'b'",
        "#!lua flags=no-writes\nreturn redis.call('PING')",
    ],
)
def test_what_lua_accepts_is_accepted(source: str) -> None:
    assert problems(source) == []
    assert unused(source) == []


def test_unused_locals_functions_and_arguments_are_found() -> None:
    assert unused("local a, b = 1, 2 return b") == ["a"]
    assert unused("local function f() end") == ["f"]
    assert unused("local function f(a, b) return a end return f") == ["b"]
    assert unused("local total = 1 total = 2") == ["total"]


@pytest.mark.parametrize("source", ["return (", "if true then", "local = 1", "x ="])
def test_a_syntax_error_is_found(source: str) -> None:
    with pytest.raises(ast.SyntaxException):
        analyse(source)


def test_a_head_names_what_the_signature_names() -> None:
    def read_top(*, key_meta: Key, arg_user: Argument) -> None: ...

    script = Script(read_top)
    good = "#!lua\n-- read_top: reads.\n--\n-- KEYS  meta\n-- ARGV  user\n-- Replies  {}\nreturn {}"
    assert list(head_problems(script, good)) == []
    assert list(head_problems(script, good.replace("#!lua", "--"))) == [
        "does not start with a #!lua line"
    ]
    assert list(head_problems(script, good.replace("meta", "meta, board"))) == [
        "the head's KEYS name ['board'], which the signature has not"
    ]
    assert list(head_problems(script, good.replace("user", "radius"))) == [
        "the head's ARGV do not name 'user'"
    ]
    assert list(head_problems(script, good.replace("-- Replies", "-- Returns"))) == [
        "the head has no section Replies"
    ]


def test_a_script_without_keys_says_so_in_its_head() -> None:
    def check_history() -> None: ...

    script = Script(check_history)
    good = "#!lua\n-- check_history: looks.\n-- KEYS  none\n-- ARGV  none\n-- Replies  {}\n"
    assert list(head_problems(script, good)) == []
    assert list(head_problems(script, good.replace("KEYS  none", "KEYS  meta"))) == [
        "the head's KEYS name ['meta'], which the signature has not"
    ]


def test_a_script_that_only_reads_is_known_by_its_calls() -> None:
    assert only_reads("local a = redis.call('HMGET', k, 'x') return redis.pcall('ZSCORE', k, m)")
    assert not only_reads("redis.call('HMGET', k, 'x') redis.call('HSET', k, 'x', 1)")
