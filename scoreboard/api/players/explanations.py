"""Why a player stands where: the total, the actions that make it, and the tie rule with both
neighbours."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from scoreboard.api.board_periods import BoardPeriods, Shown
from scoreboard.api.occurrence_reads import OfOccurrence, shown_of, told
from scoreboard.api.paging import limit_of
from scoreboard.api.parameters import identifier
from scoreboard.api.players.access import PlayerAccess
from scoreboard.api.players.history import known_from
from scoreboard.api.players.past_actions import LedgerAction, event_after, told_action
from scoreboard.api.players.ports import ExplainedUsers
from scoreboard.api.players.presentation import Presentation, Seen
from scoreboard.api.ports import ReadableBoards, UserShards
from scoreboard.api.written import as_json
from scoreboard.domain.boards import BoardSettings, Operator, Order, RankStyle, not_on_board
from scoreboard.domain.moments import moment_of
from scoreboard.domain.past import Explained, TableNeighbour
from scoreboard.domain.profiles import Player
from scoreboard.domain.stamps import stamp
from scoreboard.domain.standings import Place, percentile

By = Literal["score", "time", "userId"]


class NeighbourWhy(msgspec.Struct, frozen=True, rename="camel"):
    """A neighbour, when the neighbour's total was reached, and what decides between the two: the
    ``score``; the ``time`` at which equal totals were reached, the earlier stands higher; or, where
    totals are so large that times can't be told apart, the larger ``userId``."""

    user_id: str
    score: int
    rank: int
    reached_at: datetime
    by: By
    player: Player | UnsetType = UNSET


class LedgerTotal(msgspec.Struct, frozen=True):
    """How many actions count, and the total that they give; null: none is left."""

    actions: int
    score: int | None


class Explanation(OfOccurrence, frozen=True, kw_only=True, rename="camel"):
    """Why a player stands where. ``rank``, ``percentile``, ``reachedAt`` and the neighbours are
    null for who has no place: who is ``hidden``, by a moderator or by choice, or of whom no action
    counts.
    ``ledger`` is what the actions that count give: ``score`` if all is well. ``decisive`` is the
    one of them that gives the total where the operator is ``best`` or ``last``. ``actions`` are
    all, newest first, those that were taken back or refused too; with ``next`` as ``after`` the
    next page goes on. Where older actions are no longer kept one by one, ``detailFrom`` says from
    when on they are; ``ledger`` has them even so, and ``decisive`` is null if it is one of them."""

    user_id: str
    score: int | None
    rank: int | None
    percentile: float | None
    reached_at: datetime | None
    hidden: bool
    operator: Operator
    order: Order
    rank_style: RankStyle
    ledger: LedgerTotal
    decisive: LedgerAction | UnsetType | None = UNSET
    above: NeighbourWhy | None
    below: NeighbourWhy | None
    actions: list[LedgerAction]
    next: str | None
    detail_from: datetime | UnsetType = UNSET


class ExplanationHandlers:
    """The call that explains a rank. ``whole`` reads boards with shards from Postgres, as ``past``
    does those without."""

    def __init__(
        self,
        past: ExplainedUsers,
        shards: UserShards,
        whole: ReadableBoards,
        periods: BoardPeriods,
        presentation: Presentation,
        access: PlayerAccess,
    ) -> None:
        self._past = past
        self._shards = shards
        self._whole = whole
        self._periods = periods
        self._presentation = presentation
        self._access = access

    async def get_explanation(self, request: web.Request) -> web.Response:
        """A page of an explanation."""
        board, query = request.match_info["board"], request.query
        user = identifier(request.match_info["user"], "userId")
        await self._access.require(request, board, user)
        before, limit = event_after(query), limit_of(query)
        shown = await shown_of(self._periods, board, query)
        table = board if shown is None else shown.table
        shards = (await self._periods.settings(board)).shard_count
        shard = await self._shards.shard(board, user, shards)
        found = await self._past.explained(
            shard if shown is None else shown.of_shard(shard), user, before=before, limit=limit + 1
        )
        if found is None:
            raise not_on_board(user, table)
        rules, why = found
        if rules.shard_count > 1:
            why = await self._among_all(board, shown, rules, user, why)
        own = why.own
        around = [one.user_id for one in (why.above, why.below) if one is not None]
        seen = await self._presentation.seen(table, around, request)
        return as_json(
            Explanation(
                user_id=user,
                score=why.score,
                rank=own and own.rank,
                percentile=own and percentile(own.rank, why.players),
                reached_at=own and moment_of(own.reached_ms),
                hidden=why.hidden,
                operator=rules.operator,
                order=rules.order,
                rank_style=rules.rank_style,
                ledger=LedgerTotal(why.counted, why.by_ledger),
                decisive=_decisive(rules, why),
                above=_neighbour(rules, own, why.above, seen),
                below=_neighbour(rules, own, why.below, seen),
                actions=[told_action(one) for one in why.actions[:limit]],
                next=str(why.actions[limit - 1].event) if len(why.actions) > limit else None,
                **told(shown),
                **known_from(await self._past.detail_from(shard)),
            )
        )

    async def _among_all(
        self, board: str, shown: Shown | None, rules: BoardSettings, user: str, why: Explained
    ) -> Explained:
        """The same with the place among the users of all shards."""
        table = board if shown is None else shown.table
        around = await self._whole.around(table, user, 1) if why.own else None
        players = (await self._whole.page(table, Place("rank", 1), 0)).players
        if around is None:
            return why._replace(own=None, above=None, below=None, players=players)
        reached = []
        for one in around:
            shard = await self._shards.shard(board, one.user_id, rules.shard_count)
            part = shard if shown is None else shown.of_shard(shard)
            reached.append(await self._past.reached_ms(part, one.user_id))
        found = {
            one.user_id: TableNeighbour(one.user_id, one.score, one.rank, ms)
            for one, ms in zip(around, reached, strict=True)
            if ms is not None
        }
        place = next(i for i, one in enumerate(around) if one.user_id == user)
        above, below = around[:place][-1:], around[place + 1 :][:1]
        return why._replace(
            own=found.get(user),
            above=found.get(above[0].user_id) if above else None,
            below=found.get(below[0].user_id) if below else None,
            players=players,
        )


def _decisive(rules: BoardSettings, why: Explained) -> LedgerAction | UnsetType | None:
    if rules.operator == "sum":
        return UNSET
    return None if why.decisive is None else told_action(why.decisive)


def _neighbour(
    rules: BoardSettings, own: TableNeighbour | None, other: TableNeighbour | None, seen: Seen
) -> NeighbourWhy | None:
    shown = other and seen.shown(other.user_id)
    if own is None or other is None or shown is None:
        return None
    by: By = "score"
    if own.score == other.score:
        stamps = {stamp(one.score * rules.sign, one.reached_ms) for one in (own, other)}
        by = "time" if len(stamps) > 1 else "userId"
    reached_at = moment_of(other.reached_ms)
    return NeighbourWhy(shown[0], other.score, other.rank, reached_at, by, shown[1])
