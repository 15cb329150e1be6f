-- name: board
-- $1 board, $2 partition.
SELECT settings, version, board.event_ms, board.event_seq,
       coalesce(progress.event_ms, 0) AS partition_ms,
       coalesce(progress.event_seq, 0) AS partition_seq,
       EXISTS (SELECT FROM user_score WHERE board = $1) AS has_users
FROM board LEFT JOIN partition_progress AS progress ON progress.partition = $2
WHERE board.board = $1

-- name: create_board
-- Its first version counts as seen by clients, so that every later load has a higher one.
INSERT INTO board (board, partition, settings, version) VALUES ($1, $2, $3, 1)
ON CONFLICT DO NOTHING

-- name: raise_version
UPDATE board SET version = greatest(version, $2), updated = now() WHERE board = $1

-- name: has_lost_reverts
SELECT EXISTS (SELECT FROM review
               WHERE status = 'open' AND board = $1 AND kind = 'late_duplicate')

-- name: settle
-- Late duplicates that are still open now were never taken back in Redis: subtract them.
WITH lost AS (
    UPDATE review
    SET status = 'settled', decided_at = now(), decided_by = 'rebuild',
        reason = $2
    WHERE board = $1 AND kind = 'late_duplicate' AND status = 'open'
    RETURNING user_id, points
), sums AS (
    SELECT user_id, sum(points) AS points FROM lost GROUP BY user_id
)
UPDATE user_score AS total SET score = total.score - sums.points, updated = now()
FROM sums WHERE total.board = $1 AND total.user_id = sums.user_id

-- name: correct
-- Sets every total to the ledger's sum; users without a row get one.
WITH sums AS (
    SELECT user_id, sum(points) AS points, max(event_ms) AS event_ms
    FROM score_action
    WHERE board = $1 AND status = 'accepted' AND reverted_event_ms IS NULL
    GROUP BY user_id
), wrong AS (
    SELECT user_id, coalesce(sums.points, 0) AS points, coalesce(sums.event_ms, 0) AS event_ms
    FROM (SELECT user_id, score FROM user_score WHERE board = $1) AS total
    FULL JOIN sums USING (user_id)
    WHERE total.score IS DISTINCT FROM coalesce(sums.points, 0)
)
INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)
SELECT $1, user_id, points, to_timestamp(event_ms / 1000::double precision), event_ms, 0
FROM wrong ORDER BY user_id
ON CONFLICT (board, user_id) DO UPDATE SET score = excluded.score, updated = now()

-- name: totals
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1

-- name: changed_totals
-- Users whose latest event is beyond ($2, $3).
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score
WHERE board = $1 AND (last_event_ms, last_event_seq) > ($2, $3)

-- name: hidden_totals
-- Hidden users, and those listed in $2, who may no longer be hidden.
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1 AND hidden
UNION ALL
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1 AND user_id = ANY ($2::text[]) AND NOT hidden

-- name: receipts
-- Actions whose latest event is beyond ($2, $3).
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents
FROM kept_action
WHERE board = $1
  AND (event_ms >= $2 AND (event_ms, event_seq) > ($2, $3)
       OR reverted_event_ms >= $2 AND (reverted_event_ms, reverted_event_seq) > ($2, $3))
