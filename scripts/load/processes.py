"""Objects that live in processes of their own: the clients, beside the program that directs them.

async with Process(Sender, plan, target) as sender:
    report = await sender.call(Sender.run, seconds)
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection as Pipe
from traceback import format_exception
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import uvloop

SILENCE = 90.0  # seconds without an answer after which a process is given up
END_TIMEOUT = 5.0  # seconds that a process has to end by itself
OPEN_FILES = 65_536  # wanted by a process with many connections

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class ProcessFailed(Exception):
    """A process ended, fell silent, or could not do what it was asked for."""


class Process(Generic[T]):
    """One process with a ``make(*arguments)`` in it, whose coroutine methods can be called from
    here; used as a context that ends it. Arguments and results are pickled."""

    def __init__(self, make: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_main, args=(theirs, make, arguments, named), daemon=True
        )
        self._process.start()
        theirs.close()
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    async def __aenter__(self) -> Process[T]:
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._receive)
        os.set_blocking(self._pipe.fileno(), True)  # undone by uvloop; answers may be long
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()  # which ends it
        await asyncio.to_thread(self._process.join, END_TIMEOUT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    async def call(
        self,
        method: Callable[Concatenate[T, P], Awaitable[R]],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> R:
        """What ``method`` of the object returns. Raises ProcessFailed, with the text of what the
        method has raised."""
        number = next(self._numbers)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._pipe.send((number, method.__name__, arguments, named))
            async with asyncio.timeout(SILENCE):
                return await answer
        except TimeoutError as error:
            raise ProcessFailed(f"no answer after {SILENCE:.0f} s") from error
        except OSError as error:
            raise ProcessFailed(ENDED) from error
        finally:
            del self._asked[number]

    def _receive(self) -> None:
        try:
            number, result, failure = self._pipe.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(ProcessFailed(ENDED))
            return
        asked = self._asked.get(number)
        if asked is None or asked.done():
            return  # nobody waits any more
        if failure is None:
            asked.set_result(result)
        else:
            asked.set_exception(ProcessFailed(failure))


ENDED = "a process of the generator has ended; see its error above"


def _main(pipe: Pipe, make: Callable[..., Any], arguments: Any, named: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, OPEN_FILES)), hard))
    uvloop.run(_serve(pipe, make, arguments, named))


async def _serve(pipe: Pipe, make: Callable[..., Any], arguments: Any, named: Any) -> None:
    """Answers until the parent closes the pipe."""
    served = make(*arguments, **named)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    answering: set[asyncio.Task[Any]] = set()

    def receive() -> None:
        try:
            number, name, arguments, named = pipe.recv()
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            ended.set()
            return
        task = loop.create_task(getattr(served, name)(*arguments, **named))
        answering.add(task)
        task.add_done_callback(lambda task: answer(number, task))

    def answer(number: int, task: asyncio.Task[Any]) -> None:
        answering.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        with contextlib.suppress(OSError):  # the parent has ended
            pipe.send((number, None, _told(error)) if error else (number, task.result(), None))

    loop.add_reader(pipe.fileno(), receive)
    os.set_blocking(pipe.fileno(), True)  # as above
    await ended.wait()


def _told(error: BaseException) -> str:
    """What the parent is told of a failure: of one that is no fault of the network, all."""
    said = str(error) if isinstance(error, OSError) else ""
    return said or "".join(format_exception(error))
