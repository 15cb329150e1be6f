"""A histogram that takes many observations at once."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Histogram


class BulkHistogram(Histogram):
    """Uses private parts of prometheus_client, whose version setup.cfg therefore bounds."""

    def observe_many(self, counts: Sequence[int], total: float) -> None:
        """Adds observations whose sum is ``total``: ``counts`` has the number of those in each
        bucket, the one without a bound last."""
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)
