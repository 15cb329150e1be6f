-- name: board
-- $1 board, $2 partition.
SELECT settings, version, board.event_ms, board.event_seq,
       coalesce(progress.event_ms, 0) AS partition_ms,
       coalesce(progress.event_seq, 0) AS partition_seq,
       EXISTS (SELECT FROM user_score WHERE board = $1 AND score IS NOT NULL) AS has_users,
       whole_below
FROM board LEFT JOIN partition_progress AS progress ON progress.partition = $2
WHERE board.board = $1

-- name: partitions
SELECT coalesce(repartition, partitions) FROM setup

-- name: create_board
-- Its first version counts as seen by clients, so that every later load has a higher one.
INSERT INTO board (board, partition, settings, version) VALUES ($1, $2, $3, 1)
ON CONFLICT DO NOTHING

-- name: raise_version
UPDATE board SET version = greatest(version, $2), updated = now() WHERE board = $1

-- name: has_lost_reverts
SELECT EXISTS (SELECT FROM review
               WHERE status = 'open' AND board = $1 AND kind = 'late_duplicate')

-- name: has_users
SELECT EXISTS (SELECT FROM user_score WHERE board = $1 AND score IS NOT NULL)

-- name: settle
-- Late duplicates that are still open now were never taken back in Redis: leave them out, of every table
-- that they moved. A final one has been made without them.
WITH lost AS (
    UPDATE review
    SET status = 'settled', decided_at = now(), decided_by = 'rebuild',
        reason = $2
    WHERE board = $1 AND kind = 'late_duplicate' AND status = 'open'
    RETURNING user_id, points, tables
), moved AS (
    SELECT $1::text AS name, user_id, points FROM lost
    UNION ALL
    SELECT $1::text || ':' || occurrence, user_id, points
    FROM lost CROSS JOIN LATERAL moves_of(tables)
), sums AS (
    SELECT name, user_id, sum(points * sign) AS points, operator
    FROM moved JOIN board ON board = $1
    WHERE NOT EXISTS (SELECT FROM period_occurrence
                      WHERE table_name = name AND state = 'final')
    GROUP BY name, user_id, operator
), other AS (
    SELECT name, found.*
    FROM (SELECT name, array_agg(user_id) AS users FROM sums WHERE operator <> 'sum'
          GROUP BY name) AS moved
         CROSS JOIN LATERAL ledger_totals(name, users) AS found
)
UPDATE user_score AS total
SET score = CASE operator WHEN 'sum' THEN total.score - sums.points ELSE other.ledger END,
    reached_at = coalesce(to_timestamp(other.ledger_ms / 1000::double precision),
                          total.reached_at),
    updated = now()
FROM sums LEFT JOIN other USING (name, user_id)
WHERE total.board = sums.name AND total.user_id = sums.user_id

-- name: correct
-- Sets every total of a table to the ledger's; users without a row get one.
SELECT correct_table($1)

-- name: place_again
-- At once, however large the table is.
SELECT amend_table($1, users) FROM period_occurrence
WHERE table_name = $1 AND state = 'final' AND NOT pruned
  AND EXISTS (SELECT FROM misplaced_in($1, shared))

-- name: totals
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1 AND score IS NOT NULL

-- name: changed_totals
-- Users whose latest event is beyond ($2, $3).
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score
WHERE board = $1 AND (last_event_ms, last_event_seq) > ($2, $3)

-- name: hidden_totals
-- Hidden users, and those listed in $2, who may no longer be hidden.
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1 AND hidden AND score IS NOT NULL
UNION ALL
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM user_score WHERE board = $1 AND user_id = ANY ($2::text[]) AND NOT hidden

-- name: players
-- Who is in, with the actions that count: in the table $1 of the board $2, and in its occurrence $3
-- unless that is null.
SELECT user_id, coalesce(attempts, 0) AS attempts
FROM (SELECT user_id FROM user_score WHERE board = $1
      UNION SELECT user_id FROM board_join WHERE board = $1) AS known
LEFT JOIN (SELECT user_id, sum(attempts)::bigint AS attempts
           FROM (SELECT user_id, count(*) AS attempts FROM score_action
                 WHERE board = $2 AND status = 'accepted' AND reverted_event_ms IS NULL
                   AND ($3::text IS NULL OR EXISTS (SELECT FROM unnest(tables) AS move
                                                    WHERE starts_with(move, $3 || ' ')))
                 GROUP BY user_id
                 UNION ALL
                 SELECT user_id, actions FROM folded_total WHERE table_name = $1) AS counts
           GROUP BY user_id) AS counted USING (user_id)

-- name: receipts
-- Actions whose latest event is beyond ($2, $3).
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents,
       previous, tables
FROM kept_action
WHERE board = $1
  AND (event_ms >= $2 AND (event_ms, event_seq) > ($2, $3)
       OR reverted_event_ms >= $2 AND (reverted_event_ms, reverted_event_seq) > ($2, $3))
