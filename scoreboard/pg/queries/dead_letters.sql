-- name: list
-- $1 names, null for any; $2 at most; behind $3 created, $4 partition, $5 event, unless $3 is null.
SELECT partition, event_id, field_names, field_values, error, created
FROM dead_event
WHERE ($1::text[] IS NULL OR partition || ':' || event_id = ANY ($1))
  AND ($3::timestamptz IS NULL OR (created, partition, event_id) > ($3, $4::int, $5::text))
ORDER BY created, partition, event_id
LIMIT $2

-- name: drop
DELETE FROM dead_event WHERE partition = $1 AND event_id = $2 RETURNING event_id

-- name: explain
UPDATE dead_event SET error = $3 WHERE partition = $1 AND event_id = $2
