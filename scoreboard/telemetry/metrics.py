"""The Prometheus metrics of a process."""

from __future__ import annotations

from prometheus_client import Counter

script_calls = Counter("scoreboard_script_calls", "Calls of submit_scores that were answered")
rejudged = Counter(
    "scoreboard_rejudged_actions", "Actions judged again because a memory moved meanwhile"
)
