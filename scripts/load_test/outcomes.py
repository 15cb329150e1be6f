"""What a reply means for an action."""

from __future__ import annotations

from enum import Enum

from scripts.load.replies import UNREADABLE, Reply
from scripts.load_test.traffic import Action

NO_ANSWER = "no answer"
NOT_SENT = "not sent"


class Verdict(Enum):
    """``COUNTED``: the server has applied the action (now or at an earlier try). ``KNOWN``: a
    deliberate duplicate was recognised. ``REFUSED``: it does not count. ``UNKNOWN``: it may or may
    not count, and has to be sent again. ``WRONG``: the answer breaks the contract."""

    COUNTED = 1
    KNOWN = 2
    REFUSED = 3
    UNKNOWN = 4
    WRONG = 5


def judge(reply: Reply, action: Action, *, retried: bool) -> Verdict:
    """What ``reply`` tells of ``action``; ``retried`` when it was sent before without an answer."""
    if reply.code == UNREADABLE:
        return Verdict.UNKNOWN
    if reply.status in (200, 202):
        # A duplicate that is accepted counts twice: nothing worse can happen here.
        return Verdict.WRONG if action.duplicate else Verdict.COUNTED
    if reply.code == "duplicate_action":
        if action.duplicate:
            return Verdict.KNOWN if reply.score == action.score else Verdict.WRONG
        return Verdict.COUNTED if retried else Verdict.WRONG
    if reply.code == "action_conflict":
        return Verdict.WRONG
    if reply.status >= 500 and reply.code != "unavailable":
        return Verdict.UNKNOWN
    return Verdict.REFUSED


def complaint(reply: Reply, action: Action) -> str:
    """What was wrong with ``reply``."""
    sent = action.body.decode()
    if action.duplicate:
        sent += f" (a duplicate; the first was acknowledged with the total {action.score})"
    return f"{sent} was answered {reply.name}, score {reply.score}"
