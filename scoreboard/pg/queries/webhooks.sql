-- name: lock
-- So that two who add at the same time don't exceed the most that there may be.
LOCK TABLE webhook IN SHARE ROW EXCLUSIVE MODE

-- name: count
SELECT count(*) FROM webhook

-- name: add
-- $1 URL, $2 events, $3 boards or null, $4 interval, $5 description, $6 secret, $7 whether ids are real.
INSERT INTO webhook (url, events, boards, pace, description, secret, real_ids)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id

-- name: listed
-- The webhook $1, or all of them (null).
SELECT id, url, events, boards, pace AS interval, description, real_ids, created, failing_since, failure,
       CASE WHEN former_until > now() THEN former_until END AS former_secret_until,
       (SELECT count(*) FROM outside_event
        WHERE webhook = hook.id AND state = 'waiting') AS waiting,
       (SELECT count(*) FROM outside_event WHERE webhook = hook.id AND state = 'dead') AS dead
FROM webhook AS hook
WHERE $1::bigint IS NULL OR id = $1
ORDER BY id

-- name: remove
DELETE FROM webhook WHERE id = $1 RETURNING id

-- name: rotate
-- $1 webhook, $2 secret, $3 seconds for which the one before signs too.
UPDATE webhook
SET former = secret, former_until = now() + make_interval(secs => $3), secret = $2
WHERE id = $1
RETURNING id

-- name: deliveries
-- Up to $4 of the webhook $1, newest first, with ids below $3 and in the state $2 (null: any).
SELECT id, message, kind AS event, board, state, created, attempts,
       CASE state WHEN 'waiting' THEN due END AS due, failure, ended
FROM outside_event
WHERE webhook = $1 AND ($2::text IS NULL OR state = $2) AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4

-- name: retry
-- Dead ones of the webhook $1, all or those with the ids $2, get another day.
WITH again AS (
    UPDATE outside_event
    SET state = 'waiting', since = now(), due = now(), attempts = 0, ended = NULL
    WHERE webhook = $1 AND state = 'dead' AND ($2::text[] IS NULL OR message = ANY ($2))
    RETURNING id
)
SELECT count(*) FROM again
