"""Makes every await of some modules a place where things can go wrong, once and on demand.

A module's source is compiled again with each `await x` as `await at(place, x)`, likewise for `async
with` and `async for`, and its functions get that code for as long as a block lasts. So a place is
reached whether or not anything is waited for there, and which places there are is known beforehand.
What cleans up, in `except`, `finally` and at the end of `async with`, has done so before it fails.
"""

from __future__ import annotations

import ast
import asyncio
import enum
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple


class Fault(enum.Enum):
    """What goes wrong: an OSError, as for want of a descriptor, or who waits there is cancelled."""

    ERROR = "an error"
    CANCEL = "a cancellation"


class Place(NamedTuple):
    """An await in the source."""

    function: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.function}, line {self.line}: {self.text}"


class FaultyAwaits:
    """The places of the modules, those that were reached, and the faults that are set."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.reached: dict[Place, None] = {}  # in the order in which that happened first
        self._set: list[tuple[Place, Fault]] = []

    def set(self, *faults: tuple[Place, Fault]) -> None:
        """Lets these happen one after the other, each when its place is reached next."""
        self._set = list(faults)

    @property
    def struck(self) -> bool:
        """Whether all that was set has happened."""
        return not self._set

    def reach(self, number: int, awaitable: object = None) -> None:
        place = self.places[number]
        self.reached.setdefault(place)
        if not self._set or self._set[0][0] != place:
            return
        _, fault = self._set.pop(0)
        if fault is Fault.ERROR:
            _discard(awaitable)
            raise OSError(f"set at {place}")
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    @contextmanager
    def within(self, *modules: ModuleType) -> Iterator[None]:
        """Adds the modules' places; during the block they can be struck."""
        before: list[tuple[FunctionType, CodeType]] = []
        for module in modules:
            codes = {_key(code): code for code in _codes_within(self._compiled(module))}
            vars(module).update(
                {
                    _AWAIT: self._await,
                    _CLEAN_UP: self._clean_up,
                    _WITH: self._with,
                    _ITERATE: self._iterate,
                }
            )
            for function in _functions_of(module):
                before.append((function, function.__code__))
                function.__code__ = codes[_key(function.__code__)]
        try:
            yield
        finally:
            for function, code in before:
                function.__code__ = code

    def _compiled(self, module: ModuleType) -> CodeType:
        assert module.__file__ is not None
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        tree = ast.fix_missing_locations(_Marking(self.places).visit(tree))
        return compile(tree, module.__file__, "exec", dont_inherit=True)

    async def _await(self, number: int, awaitable: Any) -> Any:
        self.reach(number, awaitable)
        return await awaitable

    async def _clean_up(self, number: int, awaitable: Any) -> Any:
        cleaned_up = await awaitable
        self.reach(number)
        return cleaned_up

    def _with(self, number: int, manager: Any) -> _Manager:
        return _Manager(self.reach, number, manager)

    def _iterate(self, number: int, iterable: Any) -> _Iterator:
        return _Iterator(self.reach, number, iterable)


_AWAIT, _CLEAN_UP = "__await_at__", "__clean_up_at__"
_WITH, _ITERATE = "__with_at__", "__iterate_at__"
_Reach = Callable[[int], None]


class _Manager:
    """An async context manager whose entry and exit are two places, at ``number`` and behind. What
    it holds is given back before its exit fails."""

    def __init__(self, reach: _Reach, number: int, manager: Any) -> None:
        self._reach = reach
        self._number = number
        self._manager = manager

    async def __aenter__(self) -> Any:
        self._reach(self._number)
        return await self._manager.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:
        handled = await self._manager.__aexit__(*error)
        self._reach(self._number + 1)
        return handled


class _Iterator:
    """An async iterator each step of which reaches the place."""

    def __init__(self, reach: _Reach, number: int, iterable: Any) -> None:
        self._reach = reach
        self._number = number
        self._iterator = aiter(iterable)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        self._reach(self._number)
        return await anext(self._iterator)


class _Marking(ast.NodeTransformer):
    """Puts a call of its own around everything that is awaited, and notes where."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places
        self._function: list[str] = []
        self._await = _AWAIT

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._within(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._within(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._within(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        node.value = self._marked(self._await, node.value, "await {}")
        return self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        node.orelse = [self.visit(statement) for statement in node.orelse]
        around, self._await = self._await, _CLEAN_UP
        node.handlers = [self.visit(handler) for handler in node.handlers]
        node.finalbody = [self.visit(statement) for statement in node.finalbody]
        self._await = around
        return node

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        for item in node.items:
            item.context_expr = self._marked(
                _WITH, item.context_expr, "async with {}", "end of async with {}"
            )
        return self.generic_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        node.iter = self._marked(_ITERATE, node.iter, "async for in {}")
        return self.generic_visit(node)

    def _within(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._function.append(node.name)
        self.generic_visit(node)
        self._function.pop()
        return node

    def _marked(self, helper: str, expression: ast.expr, *texts: str) -> ast.expr:
        number = ast.Constant(len(self._places))
        said = ast.unparse(expression)
        for text in texts:
            place = Place(".".join(self._function), expression.lineno, text.format(said))
            self._places.append(place)
        return ast.copy_location(
            ast.Call(ast.Name(helper, ast.Load()), [number, expression], []), expression
        )


def _discard(awaitable: object) -> None:
    """Closes what will not be awaited, and the coroutines that were handed to it."""
    if inspect.iscoroutine(awaitable):
        handed_over = inspect.getcoroutinelocals(awaitable).values()
        awaitable.close()
        for value in handed_over:
            for each in value if isinstance(value, tuple) else (value,):
                _discard(each)


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes_within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes_within(constant)


def _functions_of(owner: ModuleType | type) -> Iterator[FunctionType]:
    """The functions that the module defines, in classes too, under their decorators."""
    module = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    for value in vars(owner).values():
        found = inspect.unwrap(value) if callable(value) else value
        if isinstance(found, FunctionType) and found.__module__ == module:
            if found.__qualname__.startswith("<") or found.__code__.co_filename == "<string>":
                continue
            yield found
        elif isinstance(found, type) and found.__module__ == module:
            yield from _functions_of(found)
