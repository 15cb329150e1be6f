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

-- name: audit
-- $1 who, $2 decision, $3 board, $4 user, $5 action, $6 review, $7 why, $8 details as JSON.
INSERT INTO admin_audit (actor, decision, board, user_id, action_id, review_id, reason, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)

-- name: set_hidden
UPDATE user_score SET hidden = $3, updated = now()
WHERE board = $1 AND user_id = $2
RETURNING user_id

-- name: settings
SELECT settings FROM board WHERE board = $1

-- name: all_settings
SELECT board, settings FROM board ORDER BY board

-- name: set_settings
-- $1 board, $2 partition, $3 settings; the first version of a new board counts as seen.
INSERT INTO board (board, partition, settings, version) VALUES ($1, $2, $3, 1)
ON CONFLICT (board) DO UPDATE SET settings = excluded.settings, updated = now()
