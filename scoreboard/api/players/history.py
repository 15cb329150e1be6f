"""A player's history: the score after each action, or at the end of each hour or day."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from scoreboard.api.board_periods import BoardPeriods
from scoreboard.api.occurrence_reads import OfOccurrence, shown_of, told
from scoreboard.api.operations import Parameter
from scoreboard.api.paging import limit_of
from scoreboard.api.parameters import choice, identifier, span
from scoreboard.api.players.access import PlayerAccess
from scoreboard.api.players.past_actions import (
    LedgerAction,
    event_after,
    start_after,
    told_action,
)
from scoreboard.api.players.ports import PastOfUsers
from scoreboard.api.players.presentation import Presentation
from scoreboard.api.ports import UserShards
from scoreboard.api.written import as_json
from scoreboard.domain.days import Resolution, bounds
from scoreboard.domain.moments import moment_of
from scoreboard.domain.past import PastAction, PastScore
from scoreboard.domain.shards import sharded_board
from scoreboard.errors import InvalidRequest

RESOLUTION = Parameter(
    "resolution",
    "query",
    {"type": "string", "enum": ["hour", "day"]},
    "for charts: the last score of each hour or day, by the zone of the board",
)


class ScoreAt(msgspec.Struct, frozen=True):
    """The player's total at the end of an hour or a day, which began at ``start``; null: no action
    was left."""

    start: datetime
    score: int | None


class History(OfOccurrence, frozen=True, rename="camel"):
    """What a player did, newest first: ``actions`` with the score after each or, where a
    ``resolution`` was asked for, ``scores`` of the hours or days in which the total was touched, by
    the clock of ``zone``. With ``next`` as ``after`` the next page goes on; it is null on the last
    one. Where older actions are no longer kept one by one, ``detailFrom`` says from when on they
    are."""

    user_id: str
    next: str | None
    actions: list[LedgerAction] | UnsetType = UNSET
    resolution: Literal["hour", "day"] | UnsetType = UNSET
    zone: str | UnsetType = UNSET
    scores: list[ScoreAt] | UnsetType = UNSET
    detail_from: datetime | UnsetType = UNSET


class HistoryHandlers:
    """The call that tells a player's history. A player without any, and one of whom the caller may
    not know, is answered by empty lists."""

    def __init__(
        self,
        past: PastOfUsers,
        shards: UserShards,
        periods: BoardPeriods,
        presentation: Presentation,
        access: PlayerAccess,
    ) -> None:
        self._past = past
        self._shards = shards
        self._periods = periods
        self._presentation = presentation
        self._access = access

    async def get_history(self, request: web.Request) -> web.Response:
        """A page of it. Refused actions are told to those who see everything of the player."""
        board, query = request.match_info["board"], request.query
        user = identifier(request.match_info["user"], "userId")
        refused = await self._access.sees_everything(request, board, user)
        resolution = choice(query.get(RESOLUTION.name), ("hour", "day"), RESOLUTION.name)
        from_ms, to_ms = span(query)
        limit = limit_of(query)
        shown = await shown_of(self._periods, board, query)
        shards = (await self._periods.settings(board)).shard_count
        shard = await self._shards.shard(board, user, shards)
        table = shard if shown is None else shown.of_shard(shard)
        seen = await self._presentation.seen(sharded_board(table), [user], request)
        concealed = seen.conceals(user)
        about = told(shown) | known_from(await self._past.detail_from(shard))
        if resolution is not None:
            zone = (await self._periods.settings(board)).clock
            to_ms = min(to_ms, start_after(query) or to_ms)
            if from_ms >= to_ms:
                raise InvalidRequest("after is before from.", path="after")
            chart = _Chart(zone, "day" if resolution == "day" else "hour", from_ms, to_ms, limit)
            scores, earlier = (
                ([], False) if concealed else await self._past.scores(table, user, chart.bounds)
            )
            return as_json(chart.history(user, scores, earlier, **about))
        before = event_after(query)
        found: list[PastAction] = []
        if not concealed:
            found = await self._past.actions(
                *(table, user),
                from_ms=from_ms,
                to_ms=to_ms,
                before=before,
                limit=limit + 1,
                refused=refused,
            )
        following = str(found[limit - 1].event) if len(found) > limit else None
        actions = [told_action(one) for one in found[:limit]]
        return as_json(History(user, following, actions=actions, **about))


def known_from(detail_ms: int | None) -> dict[str, Any]:
    """The member that says from when on actions are kept one by one, if not all are."""
    return {} if detail_ms is None else {"detail_from": moment_of(detail_ms)}


class _Chart:
    """Up to ``limit`` hours or days that end with the one in which ``to_ms`` lies, or this
    moment."""

    def __init__(
        self, zone: str, resolution: Resolution, from_ms: int, to_ms: int, limit: int
    ) -> None:
        self._zone = zone
        self._resolution = resolution
        to_ms = max(to_ms, 1)  # nothing was before 1970, and older days lead out of the calendar
        last_ms = min(to_ms - 1, time.time_ns() // 1_000_000)
        starts = bounds(zone, resolution, last_ms, limit)
        self._starts = [
            one for one, end in zip(starts, (*starts[1:], to_ms), strict=True) if end > from_ms
        ]
        self._goes_on = self._starts == starts and starts[0] > from_ms
        self.bounds = [max(self._starts[0], from_ms), *self._starts[1:], to_ms]

    def history(
        self, user: str, scores: Sequence[PastScore], earlier: bool, **about: Any
    ) -> History:
        """The page."""
        return History(
            user,
            str(self._starts[0]) if earlier and self._goes_on else None,
            resolution=self._resolution,
            zone=self._zone,
            scores=[ScoreAt(moment_of(self._starts[one.place]), one.score) for one in scores],
            **about,
        )
