"""The open loop's timetable: when each call is due, whatever happened to the calls before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scripts.load_test.plan import Plan

SECOND = 1_000_000_000
ORDINARY = -1

Instants = npt.NDArray[np.int64]


def arrivals(count: int, seconds: float, rng: np.random.Generator | None) -> Instants:
    """``count`` ascending instants, ns after the start, over ``seconds``: evenly spaced, or with
    ``rng`` those of a Poisson process, which given their number are uniform and independent."""
    even = (np.arange(count) + 0.5) / max(count, 1)
    places = even if rng is None else np.sort(rng.random(count))
    return (places * seconds * SECOND).astype(np.int64)


def timetable(plan: Plan, sender: int) -> tuple[Instants, npt.NDArray[np.int32]]:
    """The calls of one sender: when each is due, and the board that it probes or ORDINARY.

    All senders together make ``plan.rate`` actions a second, probes among them. Probes are evenly
    spaced over the run and take the boards in turn.
    """
    probes = round(plan.probe_rate * plan.seconds)
    actions = plan.rate * plan.seconds - probes
    calls = _share(round(actions / max(plan.batch, 1)), plan.senders, sender)
    rng = None if plan.even else np.random.default_rng((plan.seed, sender))
    ordinary = arrivals(calls, plan.seconds, rng)
    own = np.arange(sender, probes, plan.senders)
    due = np.concatenate((ordinary, arrivals(probes, plan.seconds, None)[own]))
    boards = np.concatenate((np.full(calls, ORDINARY), own % plan.boards)).astype(np.int32)
    order = np.argsort(due, kind="stable")
    return due[order], boards[order]


def _share(total: int, parts: int, index: int) -> int:
    return total // parts + (index < total % parts)
