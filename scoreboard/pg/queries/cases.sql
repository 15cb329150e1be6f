-- name: recent
-- $1 board, $2 users, $3 most actions of each: what counts of them, oldest first. What was imported is not
-- how somebody plays, here and below.
SELECT wanted.user_id, points, at_ms, event_ms, context
FROM unnest($2::text[]) AS wanted (user_id) CROSS JOIN LATERAL (
    SELECT points, event_ms, event_seq, context::text AS context,
           coalesce((extract(epoch FROM occurred_at) * 1000)::bigint, event_ms) AS at_ms
    FROM score_action AS action
    WHERE board = $1 AND action.user_id = wanted.user_id
      AND status = 'accepted' AND reverted_event_ms IS NULL AND NOT starts_with(attempt_id, 'import:')
    ORDER BY event_ms DESC, event_seq DESC
    LIMIT $3
) AS latest
ORDER BY event_ms, event_seq

-- name: decided
-- $1 board, $2 since (ms), $3 most actions: the latest attempts, in order of the actions' own time,
-- and what people decided about them.
SELECT user_id, points, at_ms, event_ms, context, verdict FROM (
    SELECT action.user_id, action.points, action.event_ms, action.context::text AS context,
           coalesce((extract(epoch FROM action.occurred_at) * 1000)::bigint, action.event_ms)
             AS at_ms,
           CASE WHEN review.status IN ('approved', 'confirmed') THEN review.status
                WHEN review.status = 'open' OR action.reverted_event_ms IS NOT NULL
                  OR action.status <> 'accepted' THEN 'undecided'
                ELSE 'counted' END AS verdict
    FROM score_action AS action
    LEFT JOIN review ON review.attempt_id = action.attempt_id
                    AND review.kind IN ('refused', 'flagged')
    WHERE action.board = $1 AND action.event_ms >= $2 AND NOT starts_with(action.attempt_id, 'import:')
    ORDER BY action.event_ms DESC, action.event_seq DESC
    LIMIT $3
) AS latest
ORDER BY at_ms, event_ms

-- name: training
-- $1 board or null for all, $2 since (ms), $3 most actions: the latest that count, in order of
-- the actions' own time.
SELECT user_id, points, at_ms, event_ms, context FROM (
    SELECT user_id, points, event_ms, context::text AS context,
           coalesce((extract(epoch FROM occurred_at) * 1000)::bigint, event_ms) AS at_ms
    FROM score_action
    WHERE status = 'accepted' AND reverted_event_ms IS NULL
      AND ($1::text IS NULL OR board = $1) AND event_ms >= $2 AND NOT starts_with(attempt_id, 'import:')
    ORDER BY event_ms DESC, event_seq DESC
    LIMIT $3
) AS latest
ORDER BY at_ms, event_ms
