-- name: columns
SELECT id, kind, status, board, user_id, action_id, points, event_ms, event_seq, attempt_id,
       occurred_at, context::text, findings::text, decided_at, decided_by, reason
FROM review

-- name: recent
-- The user's latest actions on a board, newest first, with the actions' own time.
SELECT action_id, points, score,
       CASE WHEN reverted_event_ms IS NOT NULL THEN 'reverted' ELSE status::text END AS outcome,
       coalesce(occurred_at, to_timestamp(event_ms / 1000::double precision)) AS at
FROM score_action
WHERE board = $1 AND user_id = $2
ORDER BY event_ms DESC, event_seq DESC
LIMIT $3

-- name: total
SELECT score, hidden FROM user_score WHERE board = $1 AND user_id = $2

-- name: action
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents
FROM kept_action
WHERE board = $1 AND user_id = $2 AND action_id = $3

-- name: earlier
-- Actions of a user that count, before the event ($3, $4) and after ($5, $6), oldest first.
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents
FROM kept_action
WHERE board = $1 AND user_id = $2 AND kept = 'A'
  AND (latest_ms, latest_seq) < ($3, $4) AND (latest_ms, latest_seq) > ($5, $6)
ORDER BY latest_ms, latest_seq
LIMIT $7

-- name: decide
-- $1 review, $2 status, $3 who, $4 why. No row when somebody else decided first.
UPDATE review SET status = $2, decided_at = now(), decided_by = $3, reason = $4
WHERE id = $1 AND status = 'open'
RETURNING id

-- name: set_hidden
UPDATE user_score SET hidden = $3, updated = now()
WHERE board = $1 AND user_id = $2
RETURNING user_id
