"""Turns submissions into the keys and arguments of one call of submit_scores."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.submissions import Submission
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.wire.events import Body, format_of
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import action_arguments

_encode = msgspec.json.Encoder().encode


class Call(msgspec.Struct, frozen=True, gc=False):
    """The keys and arguments of each action, which follow the fixed ones."""

    keys: list[bytes]
    args: list[bytes]
    gated: bool = False
    memory_ms: bytes = b"0"


def body_of(
    board: str, event_format: int, submission: Submission, findings: bytes | None = None
) -> bytes:
    """The action as JSON in the form that the stream keeps (wire/events.Body); ``event_format`` is
    that of the board's events, ``findings`` a JSON array."""
    action = submission.action
    context = action.context
    return _encode(
        Body(
            event_format,
            board,
            action.user_id,
            action.action_id,
            action.points,
            submission.attempt,
            submission.at_ms,
            msgspec.UNSET if context is None else msgspec.Raw(_encode(context)),
            msgspec.UNSET if findings is None else msgspec.Raw(findings),
            r=1 if submission.awaited else 0,
            x=submission.trace,
        )
    )


class PlainCalls:
    """Prepares calls for boards whose gate is off."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace

    async def prepare(
        self,
        board: str,
        settings: BoardSettings,
        submissions: Sequence[Submission],
        line: ScriptLine,
    ) -> Call:
        """The call for these submissions; nothing needs to be read first."""
        keys_of = self._keyspace.board(board)
        keys: list[bytes] = []
        args: list[bytes] = []
        rated, event_format = settings.rate is not None, format_of(settings)
        for submission in submissions:
            action = submission.action
            user = action.user_id.encode()
            keys.append(keys_of.action(user, action.action_id.encode()))
            if rated:
                keys.append(keys_of.rate(user))
            args += action_arguments(
                user=user,
                points=b"%d" % action.points,
                attempt=submission.attempt.encode(),
                body=body_of(board, event_format, submission),
            )
        return Call(keys, args)
