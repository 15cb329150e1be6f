"""Calls for boards whose gate is on: read the memories of all users and devices concerned in one
round trip, judge, and send each verdict with the revision of the memories that it rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from scoreboard.domain.announced import AnnouncedEvent, usual
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.judging import Case, Judgement
from scoreboard.domain.submissions import Submission
from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import reachable
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.wire.events import format_of
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.wire.memories import REVISION
from scoreboard.wire.scripts import action_arguments, verdict_arguments
from scoreboard.write_path.plain_calls import Call, body_of
from scoreboard.write_path.ports import Gate, Gates, PastActions

_encode = msgspec.json.Encoder().encode

MEMORY_MS = b"%d" % (90 * 86_400_000)  # an idle memory is kept this long
SLICE = 64  # actions judged before other work of the event loop gets its turn
RECALLED = 20  # users whose lost memories are rebuilt by one query
RECALL_PATIENCE = 2.0  # seconds that this query may take

# A revision that matches no memory. It is sent with an action that has a receipt and is therefore
# not judged: if the receipt expires before the script runs, the action is answered as stale and
# judged then.
_UNJUDGED = verdict_arguments(
    agents=b"", profile_revision=b"-", profile=b"", device_revision=b"", device=b""
)
# Sent with an action that can't be judged now: answered as unavailable unless it has a receipt.
_UNAVAILABLE = verdict_arguments(
    agents=b"?", profile_revision=b"-", profile=b"", device_revision=b"", device=b""
)


class _Memory:
    """The memory of its ``owner``, a user or a device, while a call is prepared; ``name`` is its
    key. ``revision`` is the one that the script will find just before the owner's next action. A
    ``makeshift`` memory is not stored."""

    __slots__ = ("makeshift", "name", "owner", "payload", "revision")

    def __init__(self, owner: bytes, name: bytes) -> None:
        self.owner, self.name = owner, name
        self.revision, self.makeshift = 0, False
        self.payload: bytes | None = None

    def read(self, text: bytes) -> None:
        """Takes what is stored; a text without a revision counts as absent here and there."""
        if found := REVISION.match(text):
            self.revision, self.payload = int(found[1]), text[found.end() :]

    def expect(self) -> bytes:
        """The revision to send."""
        return b"%d" % self.revision

    def replace(self, payload: bytes | None) -> bytes:
        """The text to store, with the next revision; empty when there is nothing to store."""
        if payload is None:
            return b""
        self.payload = payload
        if self.makeshift:
            return b""
        self.revision += 1
        return b"%d:%b" % (self.revision, payload)


class JudgedCalls:
    """Prepares calls of boards in mode ``flag`` or ``reject``."""

    def __init__(
        self, redis: Redis, gates: Gates, past: PastActions, *, keyspace: Keyspace
    ) -> None:
        self._redis = redis
        self._gates = gates
        self._past = past
        self._keyspace = keyspace

    async def prepare(
        self,
        board: str,
        settings: BoardSettings,
        submissions: Sequence[Submission],
        line: ScriptLine,
    ) -> Call:
        """The call with the agents' verdicts. Raises Unavailable when Redis is away. In mode
        ``reject``, the actions of users whose past Postgres can't tell come without a verdict."""
        keys_of = self._keyspace.board(board)
        gate = await self._gates.gate(board, allow_history=settings.allow_history)
        names, known, users, devices = await self._read(keys_of, submissions, line)
        new = dict.fromkeys(
            s.action.user_id for s, seen in zip(submissions, known, strict=True) if not seen
        )
        lost = {user: users[user] for user in new}
        forgotten = await self._recall(board, gate, lost, devices, settings.events)
        if settings.mode == "flag":
            forgotten = frozenset()  # they count in any case: judge them as a new user's
        keys: list[bytes] = []
        args: list[bytes] = []
        rated, rejecting, event_format = (
            settings.rate is not None,
            settings.mode == "reject",
            format_of(settings),
        )
        no_device = keys_of.device(b"")
        for start in range(0, len(submissions), SLICE):
            if start:
                await asyncio.sleep(0)
            end = start + SLICE
            part = [*zip(submissions[start:end], names[start:end], known[start:end], strict=True)]
            cases = [
                _case(submission)
                for submission, _, seen in part
                if not seen and submission.action.user_id not in forgotten
            ]
            judgements = iter(
                gate.judge(
                    usual(cases, settings.events),
                    {case.user_id: users[case.user_id].payload for case in cases},
                    {
                        device: devices[device].payload
                        for case in cases
                        if case.context and (device := case.context.device_id) is not None
                    },
                    accept_refused=not rejecting,
                    scored=False,
                )
            )
            for submission, receipt, seen in part:
                action = submission.action
                memory, device = users[action.user_id], _device(submission)
                record = None if device is None else devices[device]
                keys.append(receipt)
                if rated:
                    keys.append(keys_of.rate(memory.owner))
                keys.append(memory.name)
                keys.append(no_device if record is None else record.name)
                judged = not seen and action.user_id not in forgotten
                judgement = next(judgements) if judged else None
                found = judgement.reasons + judgement.noted if judgement else None
                args += action_arguments(
                    user=memory.owner,
                    points=b"%d" % action.points,
                    attempt=submission.attempt.encode(),
                    body=body_of(
                        board, event_format, submission, _encode(found) if found else None
                    ),
                )
                if judgement is None:
                    args += _UNJUDGED if seen else _UNAVAILABLE
                else:
                    args += _verdict(judgement, rejecting, memory, record)
        return Call(keys, args, gated=True, memory_ms=MEMORY_MS)

    async def _read(
        self, keys_of: BoardKeys, submissions: Sequence[Submission], line: ScriptLine
    ) -> tuple[list[bytes], list[bool], dict[str, _Memory], dict[str, _Memory]]:
        """The names of the actions' receipts, which of these are there, and the memories by user
        and by device."""
        receipts: list[bytes] = []
        users: dict[str, _Memory] = {}
        devices: dict[str, _Memory] = {}
        for submission in submissions:
            action, device = submission.action, _device(submission)
            memory = users.get(action.user_id)
            if memory is None:
                user = action.user_id.encode()
                memory = users[action.user_id] = _Memory(user, keys_of.profile(user))
            receipts.append(keys_of.action(memory.owner, action.action_id.encode()))
            if device is not None and device not in devices:
                owner = device.encode()
                devices[device] = _Memory(owner, keys_of.device(owner))
        memories = [*users.values(), *devices.values()]
        texts: list[Any] = await line.ask(b"MGET", *receipts, *[memory.name for memory in memories])
        for memory, text in zip(memories, texts[len(receipts) :], strict=True):
            if text is not None:
                memory.read(text)
        return receipts, [text is not None for text in texts[: len(receipts)]], users, devices

    async def _recall(
        self,
        board: str,
        gate: Gate,
        users: Mapping[str, _Memory],
        devices: Mapping[str, _Memory],
        events: Sequence[AnnouncedEvent],
    ) -> frozenset[str]:
        """Rebuilds lost memories, those of users who are on the board and have none, from the
        ledger, and what their past tells of those of this call's devices that have none. Redis is
        asked first who is on the board, so that new users need no query. Returns the users whose
        past Postgres can't give now."""
        of_device: dict[str, list[Case]] = {}
        lost = [user for user, memory in users.items() if memory.payload is None]
        if lost:
            returning = await self._on_board(self._keyspace.board(board), lost)
            if returning is None:
                # The script will find the board cold as well, unless it is loaded in between.
                _remember_nothing(users, lost)
                return frozenset()
            lost = returning
        for start in range(0, len(lost), RECALLED):
            some = lost[start : start + RECALLED]
            try:
                async with asyncio.timeout(RECALL_PATIENCE):
                    past = await self._past.recent(board, some)
            except (TimeoutError, Unavailable):
                # They are asked for at the next call. The rest is not asked for now, since each
                # further query might take as long.
                _remember_nothing(users, lost[start:])
                return frozenset(lost[start:])
            for user, cases in past.items():
                users[user].payload = gate.recall(usual(cases, events))
                for case in cases:
                    device = case.context and case.context.device_id
                    if device and device in devices and devices[device].payload is None:
                        of_device.setdefault(device, []).append(case)
                await asyncio.sleep(0)
        for device, played in of_device.items():
            played.sort(key=lambda case: case.at_ms)
            devices[device].payload = gate.recall_device(played)
        return frozenset()

    async def _on_board(self, keys_of: BoardKeys, users: Sequence[str]) -> list[str] | None:
        """The users who are on the board; None when it is cold."""
        with reachable():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.exists(keys_of.meta)
                pipeline.zmscore(keys_of.board, list(users))
                pipeline.zmscore(keys_of.hidden, list(users))
                live, shown, hidden = await pipeline.execute()
        if not live:
            return None
        scores = zip(users, shown, hidden, strict=True)
        return [user for user, *found in scores if any(score is not None for score in found)]


def _remember_nothing(memories: Mapping[str, _Memory], users: Sequence[str]) -> None:
    for user in users:
        memories[user].makeshift = True


def _case(submission: Submission) -> Case:
    action = submission.action
    return Case(
        action.user_id, action.points, submission.at_ms, submission.received_ms, action.context
    )


def _device(submission: Submission) -> str | None:
    context = submission.action.context
    return None if context is None else context.device_id


def _verdict(
    judgement: Judgement, rejecting: bool, user: _Memory, device: _Memory | None
) -> tuple[bytes, ...]:
    """Returns the arguments of a judged action and updates the memories as the script will."""
    refused = rejecting and bool(judgement.refused_by)
    profile = judgement.profile_if_refused if refused else judgement.profile
    return verdict_arguments(
        agents=",".join(judgement.refused_by).encode() if refused else b"",
        profile_revision=user.expect(),
        profile=user.replace(profile),
        device_revision=b"" if device is None else device.expect(),
        device=b"" if device is None else device.replace(judgement.device),
    )
