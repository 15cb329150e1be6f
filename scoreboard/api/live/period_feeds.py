"""The feeds of a period, which goes on from occurrence to occurrence, and of one occurrence."""

from __future__ import annotations

from collections.abc import Iterator

from scoreboard.api.live import frames
from scoreboard.api.live.connections import SLICE
from scoreboard.api.live.feeds import Feed
from scoreboard.api.live.ports import TopReader
from scoreboard.api.live.slow_clients import SlowClients
from scoreboard.domain.tables import occurrence_table
from scoreboard.wire import messages


class OccurrenceMissed(Exception):
    """A period went on, and the feed was not told of the end of what it shows, or has not been read
    yet: it has to be read again."""


class _CaughtUpFeed(Feed):
    """A feed whose clients may need more than the newest version."""

    __slots__ = ()

    def deliver(self, slow_clients: SlowClients) -> Iterator[None]:
        """See Feed."""
        connections = list(self.connections)
        for start in range(0, len(connections), SLICE):
            for connection in connections[start : start + SLICE]:
                connection.catch_up()
            yield


class PeriodFeed(_CaughtUpFeed):
    """Shows a period's latest occurrence. When that is another one, each client is told of the end
    of the one before and gets a snapshot, also one that was slow, and also when the feed finds out
    by reading."""

    __slots__ = ("_ended", "_name", "_number", "_period", "_turned_at", "_turning")

    def __init__(self, name: str, *, now: float) -> None:
        super().__init__(name, now=now)
        self._name, _, self._period = name.partition(":")
        self._number = 0  # of the occurrence shown; 0: none was read yet
        self._turned_at = -1  # who has a lower version has to be told of its beginning
        self._turning = b""  # that frame: the end of the one before
        self._ended: tuple[int, bytes] | None = None  # number and text of the latest end

    @property
    def table(self) -> str:
        """See Feed."""
        return occurrence_table(self._name, self._period, self._number)

    def receive(self, text: bytes) -> bool:
        """See Feed. Raises OccurrenceMissed, too."""
        news = messages.period_news(text)
        if news.type == "closed":
            self._ended = news.occurrence, text
            return False
        if news.occurrence < self._number:
            return False  # latecomers, in what has ended
        if news.occurrence == self._number:
            return self.offer(news.version, text)
        if not self._number or self._ended is None or self._ended[0] != news.occurrence - 1:
            raise OccurrenceMissed
        return self._turn(news.occurrence, news.version, text, self._ended[1])

    async def refresh(self, reader: TopReader, *, watched: bool) -> bool:
        """See Feed."""
        found = await reader.latest_top(
            self._name, self._period, shown=self._number, watched=watched
        )
        text = messages.period_update(self._name, self._period, *found[:3])
        if found.number == self._number:
            return self.offer(found.version, text)
        ended = b""
        if self._number and found.ended is not None:
            ended = messages.closed(self._name, self._period, found.ended)
        return self._turn(found.number, found.version, text, ended)

    def _turn(self, number: int, version: int, text: bytes, ended: bytes) -> bool:
        if not self.offer(version, text):
            return False
        self._number, self._turned_at = number, version
        self._turning = frames.frame(frames.TEXT, ended) if ended else b""
        return True

    def frame_after(self, version: int) -> bytes:
        """See BoardFeed."""
        if version >= self._turned_at:
            return self.frame()
        return self._turning + self.snapshot() if version >= 0 else self.snapshot()

    def _beat(self) -> bytes:
        return messages.period_heartbeat(self._name, self._period, self._number, self.version)


class OccurrenceFeed(_CaughtUpFeed):
    """Shows one occurrence of a period, and tells of its end, after which only latecomers and
    decisions of moderators change it. ``version`` is twice the table's, and one more once it has
    ended, which makes the end a version of its own."""

    __slots__ = ("_ended", "_name", "_number", "_period", "_top_scores")

    def __init__(self, name: str, *, now: float) -> None:
        super().__init__(name, now=now)
        self._name, self._period, number = name.split(":")
        self._number = int(number)
        self._ended = b""  # the frame that tells of the end; empty until then
        self._top_scores = b""  # as they were read last

    def receive(self, text: bytes) -> bool:
        """See Feed."""
        news = messages.period_news(text)
        if news.occurrence != self._number:
            return False
        return self._end(text) if news.type == "closed" else self._offer(news.version, text)

    async def refresh(self, reader: TopReader, *, watched: bool) -> bool:
        """See Feed."""
        found = await reader.occurrence_top(self._name, self._period, self._number, watched=watched)
        newer = False
        if found.top_scores != self._top_scores:  # the version of a final table grows by itself
            self._top_scores = found.top_scores
            text = messages.period_update(self._name, self._period, *found[:3])
            newer = self._offer(found.version, text)
        if found.ended is not None:
            newer = self._end(messages.closed(self._name, self._period, found.ended)) or newer
        return newer

    def _offer(self, version: int, text: bytes) -> bool:
        return self.offer(2 * version + bool(self._ended), text)

    def _end(self, text: bytes) -> bool:
        if self._ended:
            return False
        self._ended = frames.frame(frames.TEXT, text)
        self.version += 1
        return True

    def frame_after(self, version: int) -> bytes:
        """See BoardFeed."""
        if version < 0:
            return self.snapshot()
        newest = self.frame() if version // 2 < self.version // 2 else b""
        return newest if version % 2 else newest + self._ended

    def snapshot(self) -> bytes:
        """See Feed."""
        return super().snapshot() + self._ended

    def _beat(self) -> bytes:
        version = self.version // 2
        return messages.period_heartbeat(self._name, self._period, self._number, version)


_FEEDS = (Feed, PeriodFeed, OccurrenceFeed)


def feed_of(name: str, *, now: float) -> Feed:
    """The feed of a board, of a period (``arena:week``) or of an occurrence (``arena:week:12``)."""
    return _FEEDS[name.count(":")](name, now=now)
