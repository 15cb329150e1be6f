"""What a process believes of boards' periods, which it names in every call of submit_scores.

It remembers each board's latest occurrences as Redis knows them, and works out the next when they
have ended. Where it is mistaken the script says so, and tells the time: by that, and not by the
clock of this machine, the next call is made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.tables import occurrence_table
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod, latest

MOST = 10_000  # boards of which something is remembered


class PeriodArguments:
    """The part of a call that names the occurrences; good until ``until``, Redis's Unix ms. With
    ``tells_late`` each action is to say when it happened."""

    __slots__ = ("args", "keys", "settings", "tells_late", "until")

    def __init__(self, settings: BoardSettings) -> None:
        self.settings = settings
        self.keys: list[bytes] = []
        self.args: list[bytes] = []
        self.until = inf
        self.tells_late = any(period.grace for period in settings.periods)


class PeriodBeliefs:
    """The beliefs of a process."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._known: dict[str, dict[str, KnownPeriod | None]] = {}
        self._ready: dict[str, PeriodArguments] = {}
        self._ahead = 0  # ms by which Redis's clock is ahead of this machine's

    def arguments(self, board: str, settings: BoardSettings) -> PeriodArguments:
        """What to send for a board with periods."""
        now = self._now()
        ready = self._ready.get(board)
        if ready is None or ready.settings is not settings or now >= ready.until:
            ready = self._ready[board] = self._arguments(board, settings, now)
        return ready

    def learn(self, board: str, told: Sequence[bytes]) -> None:
        """Takes what the script says: Redis's time, then names of periods and what it knows of
        each."""
        texts = zip(told[1::2], told[2::2], strict=True)
        known = {name.decode(): KnownPeriod.from_text(text) for name, text in texts}
        self.take(board, int(told[0]), known)

    def take(self, board: str, time_ms: int, known: dict[str, KnownPeriod | None]) -> None:
        """Takes what the board knows, at this time of Redis, of each period."""
        self._ahead = time_ms - _own_clock()
        if len(self._known) >= MOST:
            self._known.clear()
            self._ready.clear()
        self._ready.pop(board, None)
        self._known[board] = known

    def knows_latest(self, shard: str, settings: BoardSettings) -> bool:
        """Whether the latest occurrence that is known of each period has not ended. A call on a
        shard may name no other."""
        known, now = self._known.get(shard, {}), self._now()
        latest = (known.get(period.name) for period in settings.periods)
        return all(one is not None and now < one.latest.ends_at for one in latest)

    def _arguments(self, board: str, settings: BoardSettings, now: int) -> PeriodArguments:
        made = PeriodArguments(settings)
        per_player = settings.counts_players
        for period in settings.periods:
            named = self._known.get(board, {}).get(period.name)
            if named is None or settings.shard_count == 1:
                named = latest(period, named, now)
            made.until = min(made.until, named.latest.ends_at)
            number = named.latest.number
            keys = self._keyspace.board(occurrence_table(board, period.name, number))
            names = [keys.board, keys.hidden, keys.meta, keys.channel]
            if per_player:
                names.append(keys.players)
            if period.grace:
                former = self._keyspace.board(occurrence_table(board, period.name, number - 1))
                names += [former.board, former.hidden, former.meta]
                if per_player:
                    names.append(former.players)
            made.keys += map(str.encode, names)
            made.args += (period.name.encode(), named.to_text().encode())
        return made

    def _now(self) -> int:
        return _own_clock() + self._ahead


def _own_clock() -> int:
    return time.time_ns() // 1_000_000
