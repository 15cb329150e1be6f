-- name: columns
SELECT id, kind, status, board, user_id, action_id, points, event_ms, event_seq, attempt_id,
       (extract(epoch FROM occurred_at) * 1000)::bigint AS occurred_ms, context::text,
       findings::text, decided_at, decided_by, reason, further, episode,
       (SELECT count(*) FROM review AS mate
        WHERE (mate.episode, mate.status) = (review.episode, review.status)) AS actions
FROM review

-- name: recent
-- The user's latest actions on a board, newest first, with the actions' own time (Unix ms).
SELECT action_id, points, score * sign,
       CASE WHEN reverted_event_ms IS NOT NULL THEN 'reverted' ELSE status::text END AS outcome,
       coalesce((extract(epoch FROM occurred_at) * 1000)::bigint, action.event_ms) AS at_ms
FROM score_action AS action JOIN board USING (board)
WHERE board = $1 AND user_id = $2
ORDER BY action.event_ms DESC, action.event_seq DESC
LIMIT $3

-- name: newest
-- A condition: no later case of the episode has the same status.
NOT EXISTS (SELECT FROM review AS later
            WHERE (later.episode, later.status) = (review.episode, review.status)
              AND later.id > review.id)

-- name: by_feature
-- $1 boards or null for all: cases of the last 90 days by agent and feature that objected.
SELECT finding ->> 'agent' AS agent, finding ->> 'feature' AS feature,
       count(DISTINCT id) FILTER (WHERE status = 'open') AS open,
       count(DISTINCT id) FILTER (WHERE status = 'approved') AS approved,
       count(DISTINCT id) FILTER (WHERE status = 'confirmed') AS confirmed
FROM review CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(findings) WHEN 'array' THEN findings ELSE '[]' END) AS finding
WHERE kind IN ('refused', 'flagged') AND created > now() - interval '90 days'
  AND ($1::text[] IS NULL OR board = ANY ($1))
GROUP BY 1, 2
ORDER BY 4 DESC, 1, 2

-- name: episode
-- The open cases of an episode, oldest first.
SELECT id FROM review WHERE episode = $1 AND status = 'open' ORDER BY id LIMIT $2

-- name: total
SELECT score * sign, hidden FROM user_score JOIN board USING (board)
WHERE board = $1 AND user_id = $2

-- name: action
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents,
       previous, tables
FROM kept_action
WHERE board = $1 AND user_id = $2 AND action_id = $3
ORDER BY event_ms DESC, event_seq DESC
LIMIT 1

-- name: open_case
-- The open case of an action that an agent flagged.
SELECT id FROM review
WHERE board = $1 AND user_id = $2 AND action_id = $3 AND kind = 'flagged' AND status = 'open'
LIMIT 1

-- name: unaudited_revert
-- The event by which a person took an action back of whose why ($4) the ledger has the beginning, unless
-- the audit has a line about it.
SELECT reverted_event_ms || '-' || reverted_event_seq AS event FROM score_action
WHERE board = $1 AND user_id = $2 AND action_id = $3 AND starts_with(revert_reason, $4)
  AND NOT EXISTS (SELECT FROM admin_audit AS known
                  WHERE known.decision = 'action_reverted' AND known.user_id = $2
                    AND known.details ->> 'event' = reverted_event_ms || '-' || reverted_event_seq)

-- name: decidable_from
-- Actions with earlier events (Unix ms) are folded, or are being folded.
SELECT greatest((SELECT max(to_ms) FROM ledger_part WHERE state <> 'open'),
                (SELECT until_ms FROM ledger_folded), 0)

-- name: earlier
-- Actions of a user that count, before the event ($3, $4) and after ($5, $6), oldest first.
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents,
       previous, tables
FROM kept_action
WHERE board = $1 AND user_id = $2 AND kept = 'A'
  AND (latest_ms, latest_seq) < ($3, $4) AND (latest_ms, latest_seq) > ($5, $6)
ORDER BY latest_ms, latest_seq
LIMIT $7

-- name: total_without
-- $1 table, $2 user, $3 actions: what the ledger gives the user without these, and when (Unix ms).
SELECT ledger, ledger_ms FROM ledger_totals($1, ARRAY[$2], $3)

-- name: decide
-- $1 review, $2 status, $3 who, $4 why. No row when somebody else decided first.
UPDATE review SET status = $2, decided_at = now(), decided_by = $3, reason = $4
WHERE id = $1 AND status = 'open'
RETURNING id

-- name: set_hidden
-- By a moderator; whether the user is hidden then, who may be so by choice as well.
UPDATE user_score SET moderated = $3, updated = now()
WHERE board = $1 AND user_id = $2
RETURNING hidden

-- name: set_hidden_in_occurrences
WITH changed AS (
    UPDATE user_score SET hidden = $3, updated = now()
    WHERE user_id = $2 AND hidden <> $3
      AND board IN (SELECT table_name FROM period_occurrence AS known
                    WHERE known.board = $1 AND NOT pruned)
    RETURNING board, score
)
SELECT array_agg(table_name)
FROM changed JOIN period_occurrence ON table_name = changed.board
WHERE state = 'final' AND score IS NOT NULL

-- name: amend
-- $1 final tables.
SELECT amend_tables($1)
