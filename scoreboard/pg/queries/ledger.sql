-- name: knows
SELECT EXISTS (SELECT FROM board WHERE board = $1)

-- name: count_accepted
-- How many of the board's actions, $2 users and $3 action ids, were accepted.
SELECT count(*)
FROM unnest($2::text[], $3::text[]) AS asked (user_id, action_id)
JOIN score_action USING (user_id, action_id)
WHERE board = $1 AND status = 'accepted'

-- name: prepare_session
-- The staging table of this connection; not logged, empty again after every transaction.
CREATE TEMPORARY TABLE IF NOT EXISTS staged (
    kind        text,
    board       text COLLATE "C",
    user_id     text COLLATE "C",
    action_id   text COLLATE "C",
    points      bigint,
    score       bigint,
    event_ms    bigint,
    event_seq   bigint,
    reached_ms  bigint,
    occurred_ms bigint,
    attempt_id  text COLLATE "C",
    context     text,
    findings    text,
    taken_ms    bigint,
    taken_seq   bigint,
    reason      text
) ON COMMIT DELETE ROWS

-- name: progress
-- The highest event persisted of the partition.
SELECT event_ms, event_seq FROM partition_progress WHERE partition = $1

-- name: add_overtaken
-- Events come in order. So a new event at or before the highest event persisted, ($1, $2), belongs
-- to a history that Redis had lost and that came back: Redis was emptied and reloaded from Postgres,
-- and then a crash undid that. The totals since then lack such actions and get them now. Dead
-- letters that are tried again ($3: their partition) are in the totals already.
UPDATE user_score AS total SET score = total.score + missed.points, updated = now()
FROM (SELECT board, user_id, sum(points) AS points
      FROM staged JOIN user_score AS later USING (board, user_id)
      WHERE kind = 'A' AND (event_ms, event_seq) <= ($1, $2)
        AND (last_event_ms, last_event_seq) > (event_ms, event_seq)
        AND NOT EXISTS (SELECT FROM score_action AS known
                        WHERE (known.board, known.user_id, known.action_id)
                            = (staged.board, staged.user_id, staged.action_id))
        AND NOT EXISTS (SELECT FROM dead_event
                        WHERE partition = $3 AND event_id = event_ms || '-' || event_seq)
      GROUP BY board, user_id) AS missed
WHERE (total.board, total.user_id) = (missed.board, missed.user_id)

-- name: insert_actions
-- Ordered by key, so that writers never deadlock; of two rows of one
-- action in a batch the earlier event wins.
INSERT INTO score_action (board, user_id, action_id, points, score, status, attempt_id,
                          event_ms, event_seq, occurred_at, context)
SELECT board, user_id, action_id, points, score,
       CASE kind WHEN 'A' THEN 'accepted' ELSE 'refused' END::action_status,
       attempt_id, event_ms, event_seq,
       to_timestamp(occurred_ms / 1000::double precision), context::jsonb
FROM staged
WHERE kind IN ('A', 'R')
ORDER BY board, user_id, action_id, event_ms, event_seq
ON CONFLICT DO NOTHING

-- name: approve_refused
-- An accepted event of the same attempt over a refused row is a reviewer's approval.
UPDATE score_action AS action
SET status = 'accepted', score = staged.score,
    event_ms = staged.event_ms, event_seq = staged.event_seq, recorded_at = now()
FROM staged
WHERE staged.kind = 'A' AND action.status = 'refused' AND action.attempt_id = staged.attempt_id
  AND (action.board, action.user_id, action.action_id)
    = (staged.board, staged.user_id, staged.action_id)

-- name: late_duplicates
-- Accepted events whose action the ledger has under another event, with the original. An event at
-- or before the highest event persisted, ($1, $2), is taken only when it was found before: otherwise
-- it is from a history that Redis had lost, counts under the other event, and is in no total.
SELECT staged.board, staged.event_ms, staged.event_seq, staged.points, staged.attempt_id,
       user_id, action_id, kept, original.points, original.score, original.attempt_id,
       latest_ms, latest_seq, agents
FROM staged JOIN kept_action AS original USING (board, user_id, action_id)
WHERE staged.kind = 'A'
  AND (original.event_ms, original.event_seq) <> (staged.event_ms, staged.event_seq)
  AND ((staged.event_ms, staged.event_seq) > ($1, $2)
       OR EXISTS (SELECT FROM review WHERE review.attempt_id = staged.attempt_id
                                       AND review.kind = 'late_duplicate'))
ORDER BY staged.event_ms, staged.event_seq

-- name: record_late_duplicates
-- For review; settled by the event that takes it back, or by a rebuild.
INSERT INTO review (attempt_id, kind, board, user_id, action_id, points, event_ms, event_seq,
                    occurred_at, context)
SELECT staged.attempt_id, 'late_duplicate', board, user_id, action_id, staged.points,
       staged.event_ms, staged.event_seq,
       to_timestamp(staged.occurred_ms / 1000::double precision), staged.context::jsonb
FROM staged JOIN score_action AS action USING (board, user_id, action_id)
WHERE staged.kind = 'A'
  AND (action.event_ms, action.event_seq) <> (staged.event_ms, staged.event_seq)
  AND (staged.event_ms, staged.event_seq) > ($1, $2)
ON CONFLICT (attempt_id) DO UPDATE SET kind = 'late_duplicate'
    WHERE review.kind <> 'late_duplicate'

-- name: advance_totals
-- The last writer wins by event id: a row never moves back.
INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)
SELECT DISTINCT ON (board, user_id)
       board, user_id, score, to_timestamp(reached_ms / 1000::double precision),
       event_ms, event_seq
FROM staged
WHERE kind IN ('A', 'V')
ORDER BY board, user_id, event_ms DESC, event_seq DESC
ON CONFLICT (board, user_id) DO UPDATE
SET score = excluded.score, reached_at = excluded.reached_at,
    last_event_ms = excluded.last_event_ms, last_event_seq = excluded.last_event_seq,
    updated = now()
WHERE (user_score.last_event_ms, user_score.last_event_seq)
    < (excluded.last_event_ms, excluded.last_event_seq)

-- name: mark_reverted
-- The action that a reverting event names no longer counts.
UPDATE score_action AS action
SET reverted_event_ms = staged.event_ms, reverted_event_seq = staged.event_seq,
    revert_reason = staged.reason
FROM staged
WHERE staged.kind = 'V' AND action.reverted_event_ms IS NULL
  AND (action.board, action.user_id, action.action_id, action.event_ms, action.event_seq)
    = (staged.board, staged.user_id, staged.action_id, staged.taken_ms, staged.taken_seq)

-- name: settle_reverted
-- A late duplicate that was taken back is settled.
UPDATE review
SET status = 'settled', decided_at = now(), decided_by = 'persister', reason = staged.reason
FROM staged
WHERE staged.kind = 'V' AND review.kind = 'late_duplicate' AND review.status = 'open'
  AND (review.board, review.user_id, review.action_id, review.event_ms, review.event_seq)
    = (staged.board, staged.user_id, staged.action_id, staged.taken_ms, staged.taken_seq)

-- name: record_reviews
-- Refusals, conflicts, and accepted actions that an agent objected to.
INSERT INTO review (attempt_id, kind, board, user_id, action_id, points, event_ms, event_seq,
                    occurred_at, context, findings)
SELECT attempt_id, CASE kind WHEN 'R' THEN 'refused' WHEN 'C' THEN 'conflict' ELSE 'flagged' END,
       board, user_id, action_id, points, event_ms, event_seq,
       to_timestamp(occurred_ms / 1000::double precision), context::jsonb,
       CASE jsonb_typeof(findings::jsonb)
           WHEN 'array' THEN findings::jsonb ELSE '[]' END
FROM staged
WHERE kind IN ('R', 'C') OR (kind = 'A' AND findings IS NOT NULL)
ORDER BY attempt_id
ON CONFLICT (attempt_id) DO NOTHING

-- name: advance_boards
-- $1 boards, $2 partition, $3 versions, $4 and $5 their highest event ids.
INSERT INTO board (board, partition, version, event_ms, event_seq)
SELECT board, $2, version, event_ms, event_seq
FROM unnest($1::text[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS highest (board, version, event_ms, event_seq)
ORDER BY board
ON CONFLICT (board) DO UPDATE
SET version = greatest(board.version, excluded.version),
    event_ms = CASE WHEN (board.event_ms, board.event_seq) < (excluded.event_ms, excluded.event_seq)
                    THEN excluded.event_ms ELSE board.event_ms END,
    event_seq = CASE WHEN (board.event_ms, board.event_seq) < (excluded.event_ms, excluded.event_seq)
                     THEN excluded.event_seq ELSE board.event_seq END,
    updated = now()

-- name: advance_partition
-- $1 partition, $2 and $3 the highest event id of a batch.
INSERT INTO partition_progress AS progress (partition, event_ms, event_seq)
VALUES ($1, $2, $3)
ON CONFLICT (partition) DO UPDATE
SET event_ms = excluded.event_ms, event_seq = excluded.event_seq
WHERE (progress.event_ms, progress.event_seq) < (excluded.event_ms, excluded.event_seq)

-- name: bury
-- $1 partition, $2 event id, $3 and $4 the fields' names and values, $5 error.
INSERT INTO dead_event (partition, event_id, field_names, field_values, error)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
