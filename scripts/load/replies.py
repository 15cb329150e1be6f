"""What the service replies to each action of a call."""

from __future__ import annotations

import msgspec

UNREADABLE = "unreadable answer"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The members of an answer, or of one of a batch's results, that matter to a load generator.
    ``durability`` is empty where it is not told."""

    status: int = 200
    code: str = ""
    score: int | None = None
    durability: str = ""

    @property
    def name(self) -> str:
        """How it is listed: "200", "409 duplicate_action"."""
        return f"{self.status} {self.code}" if self.code else str(self.status)


class _Results(msgspec.Struct, frozen=True):
    results: list[Reply]


_reply = msgspec.json.Decoder(Reply)
_results = msgspec.json.Decoder(_Results)


def replies(status: int, body: bytes, actions: int, *, batch: bool) -> list[Reply]:
    """The reply to each of a call's ``actions``; an answer to the whole call goes for all."""
    try:
        if batch and status in (200, 202):
            found = _results.decode(body).results
            if len(found) == actions:
                return found
        elif status == 200:
            return [_reply.decode(body)] * actions
        else:
            reply = _reply.decode(body)
            return [msgspec.structs.replace(reply, status=status)] * actions
    except msgspec.DecodeError:
        pass
    return [Reply(status, UNREADABLE)] * actions
