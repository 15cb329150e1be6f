"""The Prometheus metrics of a process.

A label has few values, all of them known here or bounded by a setting: never a board, a user, a
path or anything else that clients choose, since each value is a line of every scrape for good
(tests/unit/telemetry/test_metrics.py holds the labels to that). The mode of a gauge says what a
scrape shows when processes share their figures (sharing.py): the sum over those that live, or what
was set last.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info

from scoreboard import __version__
from scoreboard.telemetry import sharing
from scoreboard.telemetry.bulk_histogram import BulkHistogram

sharing.join()  # before the first metric is made

# HTTP. The route is the template of a path; whatever matches none is "unmatched".
http_requests = Counter(
    "scoreboard_http_requests", "Requests answered", ["method", "route", "status"]
)
LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
http_request_seconds = BulkHistogram(
    "scoreboard_http_request_seconds",
    "Time from a request's headers to its answer",
    ["method", "route"],
    buckets=LATENCIES,
)

log_lines_lost = Counter("scoreboard_log_lines_lost", "Lines that could not be written to the log")
spans_lost = Counter("scoreboard_spans_lost", "Spans of traces that could not be handed over")

# The write path.
script_calls = Counter("scoreboard_script_calls", "Calls of submit_scores that were answered")
rejudged = Counter(
    "scoreboard_rejudged_actions", "Actions judged again because a memory changed meanwhile"
)
decided_findings = Counter(
    "scoreboard_decided_findings",
    "What agents objected to, by what a person decided about it: approved or confirmed",
    ["verdict", "agent", "feature"],
)
weekly_cases = Counter(
    "scoreboard_weekly_cases", "Cases made of users' weeks that ended without a further action"
)
tokens_refused = Counter("scoreboard_tokens_refused", "Tokens refused, by reason", ["reason"])
actions = Counter("scoreboard_actions", "Actions submitted, by outcome", ["outcome"])
erased_events = Counter(
    "scoreboard_erased_events", "Events left out because they are those of erased players"
)

# The edge.
http_connections = Gauge(
    "scoreboard_http_connections",
    "Connections held that are no WebSockets",
    multiprocess_mode="livesum",
)
malformed = Counter("scoreboard_malformed_requests", "What came and was no valid HTTP")
limits = Counter(
    "scoreboard_limits_reached",
    "Connections and requests that were refused or ended by a limit, by that limit",
    ["limit"],
)

# Redis's error replies that say "not here, not now" (redisio/refusals.py), by their first word.
redis_refusals = Counter(
    "scoreboard_redis_refusals", "Commands that Redis refused, by the word of its reply", ["reason"]
)
# By server, as far as node_figures.MOST goes.
REDIS_LATENCIES = (0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1)
redis_call_seconds = BulkHistogram(
    "scoreboard_redis_call_seconds",
    "Time of a round trip of scripts to a server of Redis, by its address",
    ["node"],
    buckets=REDIS_LATENCIES,
)
redis_connections = Counter(
    "scoreboard_redis_connections", "Connections that were made to a server of Redis", ["node"]
)
redis_failures = Counter(
    "scoreboard_redis_failures",
    "Connections that could not be made and calls whose reply was lost, or (refused) that a server "
    "of Redis did not run; redirections apart",
    ["node", "kind"],
)
redis_refuses_writes = Gauge(
    "scoreboard_redis_refuses_writes",
    "1 while Redis takes no writes, by the reason",
    ["reason"],
    multiprocess_mode="livemax",
)

# The relay. Hot paths add to a counter once per batch.
connections = Gauge(
    "scoreboard_websocket_connections", "WebSockets held", multiprocess_mode="livesum"
)
lagging = Gauge(
    "scoreboard_websocket_lagging",
    "WebSockets that have not drained yet",
    multiprocess_mode="livesum",
)
feeds = Gauge(
    "scoreboard_websocket_boards", "Boards that are subscribed to", multiprocess_mode="livesum"
)
snapshots_written = Counter("scoreboard_websocket_snapshots", "Snapshots written to WebSockets")
frames_written = Counter("scoreboard_websocket_frames", "Updates written to WebSockets")
bytes_written = Counter(
    "scoreboard_websocket_bytes", "Bytes of snapshots and updates written to WebSockets"
)
updates_held = Counter(
    "scoreboard_websocket_held",
    "Updates that a WebSocket could not take; a newer one follows when it has drained",
)
aborted = Counter(
    "scoreboard_websocket_aborted",
    "WebSockets ended since their client was stalled, silent or broke the rules",
    ["why"],
)
watched_players = Gauge(
    "scoreboard_watched_players",
    "Players whose standings are followed",
    multiprocess_mode="livesum",
)
watchers_refused = Counter(
    "scoreboard_watchers_refused", "WebSockets refused since too many players are watched"
)
standings_written = Counter("scoreboard_standings", "Standings written to WebSockets")
overtakings = Counter("scoreboard_overtakings", "Watched players who were passed, once a message")
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
    "scoreboard_persist_lag_seconds",
    "Age of the oldest event not yet in Postgres; NaN while Redis can't be asked",
    ["partition"],
    multiprocess_mode="livemostrecent",
)
backlog = Gauge(
    "scoreboard_backlog_events",
    "Events not yet in Postgres; NaN while Redis can't be asked",
    ["partition"],
    multiprocess_mode="livemostrecent",
)
dead_events = Counter("scoreboard_dead_events", "Entries that went to the dead letters")
late_duplicates = Counter(
    "scoreboard_late_duplicates", "Accepted actions taken back: duplicates older than the window"
)

# Postgres, as every role sees it.
postgres_failures = Counter(
    "scoreboard_postgres_failures", "Calls of Postgres that failed, by kind", ["kind"]
)

# The rebuilder.
rebuilds = Counter("scoreboard_rebuilds", "Boards made live again, by how", ["how"])
for how in ("loaded", "reconciled"):  # from 0 on, or nobody sees the first of them as an increase
    rebuilds.labels(how)
rebuild_seconds = Histogram(
    "scoreboard_rebuild_seconds",
    "Time that a board was fenced while it was made live",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)

# The closer.
LATENESS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
turned_late = Histogram(
    "scoreboard_occurrence_turned_late_seconds",
    "Occurrences whose end was told by this process: the time since they ended",
    buckets=LATENESS,
)
final_late = Histogram(
    "scoreboard_occurrence_final_late_seconds",
    "Occurrences whose ranks this process stored: the time since nobody could be late any more",
    buckets=LATENESS,
)

# Webhooks.
webhook_attempts = Counter(
    "scoreboard_webhook_attempts",
    "Attempts to deliver an event, by what became of them; dead: deliveries that were given up",
    ["outcome"],
)
webhook_seconds = Histogram(
    "scoreboard_webhook_seconds",
    "Time of an attempt to deliver an event",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
webhook_events_dropped = Counter(
    "scoreboard_webhook_events_dropped",
    "Events that are not told, since too many wait for their webhook",
)

# The continuous audit.
patrolled_users = Counter("scoreboard_patrolled_users", "Users compared across ledger and Redis")
patrol_differences = Gauge(
    "scoreboard_patrol_differences",
    "Differences that the last round of the audit found; NaN while there was none lately",
    multiprocess_mode="livemostrecent",
)

build = Info("scoreboard_build", "The version that runs")
build.info({"version": __version__})
