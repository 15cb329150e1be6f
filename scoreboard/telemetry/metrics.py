"""The Prometheus metrics of a process."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info

from scoreboard import __version__

script_calls = Counter("scoreboard_script_calls", "Calls of submit_scores that were answered")
rejudged = Counter(
    "scoreboard_rejudged_actions", "Actions judged again because a memory changed meanwhile"
)
actions = Counter("scoreboard_actions", "Actions submitted, by outcome", ["outcome"])

# The relay. Hot paths add to a counter once per batch.
connections = Gauge("scoreboard_websocket_connections", "WebSockets held")
lagging = Gauge("scoreboard_websocket_lagging", "WebSockets that have not drained yet")
feeds = Gauge("scoreboard_websocket_boards", "Boards that are subscribed to")
frames_written = Counter("scoreboard_websocket_frames", "Updates written to WebSockets")
aborted = Counter("scoreboard_websocket_aborted", "WebSockets aborted: stalled or silent", ["why"])
updates_received = Counter("scoreboard_updates_received", "Updates that came from Redis")
updates_skipped = Counter(
    "scoreboard_updates_skipped", "Updates older than the version already held"
)
updates_missed = Counter(
    "scoreboard_updates_missed", "Versions found by reading a board, not received on its channel"
)

# The persister, by partition.
persisted = Counter("scoreboard_persisted_events", "Events committed to Postgres", ["partition"])
persist_seconds = Histogram("scoreboard_persist_seconds", "Time to commit and acknowledge a batch")
persist_lag = Gauge(
    "scoreboard_persist_lag_seconds", "Age of the oldest event not yet in Postgres", ["partition"]
)
backlog = Gauge("scoreboard_backlog_events", "Events not yet in Postgres", ["partition"])
dead_events = Counter("scoreboard_dead_events", "Entries that went to the dead letters")
late_duplicates = Counter(
    "scoreboard_late_duplicates", "Accepted actions taken back: duplicates older than the window"
)

# The rebuilder.
rebuilds = Counter("scoreboard_rebuilds", "Boards made live again, by how", ["how"])
rebuild_seconds = Histogram(
    "scoreboard_rebuild_seconds",
    "Time that a board was fenced while it was made live",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)

# The continuous audit.
patrolled_users = Counter("scoreboard_patrolled_users", "Users compared across ledger and Redis")
patrol_differences = Gauge(
    "scoreboard_patrol_differences",
    "Differences that the last round of the audit found; NaN while there was none lately",
)

build = Info("scoreboard_build", "The version that runs")
build.info({"version": __version__})
