"""What an answer means for each action of a call."""

from __future__ import annotations

from enum import Enum

import msgspec

from scripts.load.http1 import Answer
from scripts.load_test.traffic import Action

NO_ANSWER = "no answer"
NOT_SENT = "not sent"
UNREADABLE = "unreadable answer"


class Verdict(Enum):
    """``COUNTED``: the server has applied the action (now or at an earlier try). ``KNOWN``: a
    deliberate duplicate was recognised. ``REFUSED``: it does not count. ``UNKNOWN``: it may or may
    not count, and has to be sent again. ``WRONG``: the answer breaks the contract."""

    COUNTED = 1
    KNOWN = 2
    REFUSED = 3
    UNKNOWN = 4
    WRONG = 5


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The members of an answer, or of one of a batch's results, that matter here."""

    status: int = 200
    code: str = ""
    score: int | None = None


class _Results(msgspec.Struct, frozen=True):
    results: list[Reply]


_reply = msgspec.json.Decoder(Reply)
_results = msgspec.json.Decoder(_Results)


def replies(answer: Answer, actions: int, *, batch: bool) -> list[Reply]:
    """The reply to each of the call's ``actions``; an answer to the whole call goes for all."""
    try:
        if batch and answer.status in (200, 202):
            found = _results.decode(answer.body).results
            if len(found) == actions:
                return found
        elif answer.status == 200:
            return [_reply.decode(answer.body)] * actions
        else:
            reply = _reply.decode(answer.body)
            return [Reply(answer.status, reply.code, reply.score)] * actions
    except msgspec.DecodeError:
        pass
    return [Reply(answer.status, UNREADABLE)] * actions


def name_of(reply: Reply) -> str:
    """How an outcome is listed: "200", "409 duplicate_action"."""
    return f"{reply.status} {reply.code}" if reply.code else str(reply.status)


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
    return f"{sent} was answered {name_of(reply)}, score {reply.score}"
