"""The open loop's timetable: when each call is due, and which of them are probes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scripts.load.open_loop import Instants, arrivals
from scripts.load_test.plan import Plan

ORDINARY = -1


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
