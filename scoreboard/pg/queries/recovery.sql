-- name: board
-- $1 board, $2 partition.
SELECT settings, version, board.event_ms, board.event_seq,
       coalesce(progress.event_ms, 0) AS partition_ms,
       coalesce(progress.event_seq, 0) AS partition_seq,
       EXISTS (SELECT FROM user_score WHERE board = $1) AS has_users
FROM board LEFT JOIN partition_progress AS progress ON progress.partition = $2
WHERE board.board = $1

-- name: create_board
-- Its first version counts as seen, so that every later load goes beyond it.
INSERT INTO board (board, partition, settings, version) VALUES ($1, $2, $3, 1)
ON CONFLICT DO NOTHING

-- name: boards
SELECT board FROM board WHERE partition = $1 ORDER BY board

-- name: raise_version
UPDATE board SET version = greatest(version, $2), updated = now() WHERE board = $1

-- name: has_lost_reverts
SELECT EXISTS (SELECT FROM review
               WHERE status = 'open' AND board = $1 AND kind = 'late_duplicate')

-- name: settle
-- Late duplicates that are still open now were never taken back in Redis: they leave the totals.
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

-- name: totals
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1

-- name: changed_totals
-- Users whose latest event is beyond ($2, $3).
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score
WHERE board = $1 AND (last_event_ms, last_event_seq) > ($2, $3)

-- name: hidden_totals
-- Users who are hidden, and those listed in $2, who may not be hidden any more.
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1 AND hidden
UNION ALL
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1 AND user_id = ANY ($2::text[]) AND NOT hidden

-- name: receipts
-- Actions whose latest event is beyond ($2, $3): accepted, refused (with the agents), reverted.
SELECT user_id, action_id,
       CASE WHEN reverted_event_ms IS NOT NULL THEN 'V'
            WHEN status = 'accepted' THEN 'A' ELSE 'R' END AS kept,
       points, score, attempt_id,
       coalesce(reverted_event_ms, event_ms), coalesce(reverted_event_seq, event_seq),
       CASE WHEN status = 'refused'
            THEN agents_against(action.attempt_id) END
FROM score_action AS action
WHERE board = $1
  AND (event_ms >= $2 AND (event_ms, event_seq) > ($2, $3)
       OR reverted_event_ms >= $2 AND (reverted_event_ms, reverted_event_seq) > ($2, $3))
