-- name: take
-- Deliveries that are due, taken on for $4 seconds: of each webhook up to $3, or one while it fails, less
-- the $2 that the caller is busy with for the webhooks $1.
WITH chosen AS (
    SELECT next.id, url, secret, real_ids,
           CASE WHEN former_until > now() THEN former END AS former
    FROM webhook AS hook
         LEFT JOIN unnest($1::bigint[], $2::integer[]) AS busy (webhook, attempts)
                ON busy.webhook = hook.id
         CROSS JOIN LATERAL (
             SELECT event.id FROM outside_event AS event
             WHERE event.webhook = hook.id AND state = 'waiting' AND due <= now()
             ORDER BY due
             LIMIT greatest(CASE WHEN failing_since IS NULL THEN $3::integer ELSE 1 END
                            - coalesce(busy.attempts, 0), 0)
             FOR UPDATE SKIP LOCKED) AS next
)
UPDATE outside_event AS event
SET due = now() + make_interval(secs => $4), attempts = event.attempts + 1
FROM chosen WHERE event.id = chosen.id
RETURNING event.id, webhook, url, secret, former, real_ids, message, kind, created, body::text,
          event.attempts, now() AS taken

-- name: delivered
-- $1 event, $2 webhook. A row when the webhook had failed until now.
WITH done AS (
    UPDATE outside_event SET state = 'delivered', ended = now(), failure = NULL, body = NULL
    WHERE id = $1 AND state <> 'delivered'
)
UPDATE webhook SET failing_since = NULL, failure = NULL
WHERE id = $2 AND failing_since IS NOT NULL
RETURNING true

-- name: failed
-- $1 event, $2 webhook, $3 which attempt, $4 why, $5 seconds until the next one, which is made a day after
-- the first at the latest: whether the event is dead by that, and whether its webhook begins to fail.
WITH missed AS (
    UPDATE outside_event
    SET failure = $4,
        due = least(now() + make_interval(secs => $5), greatest(now(), since + interval '1 day')),
        state = CASE WHEN now() < since + interval '1 day' THEN 'waiting' ELSE 'dead' END,
        ended = CASE WHEN now() < since + interval '1 day' THEN NULL ELSE now() END
    WHERE id = $1 AND attempts = $3 AND state = 'waiting'
    RETURNING state = 'dead' AS dead
), before AS (
    SELECT failing_since FROM webhook WHERE id = $2 FOR UPDATE
), fails AS (
    UPDATE webhook SET failing_since = coalesce(webhook.failing_since, now()), failure = $4
    FROM before WHERE id = $2
)
SELECT coalesce((SELECT dead FROM missed), false),
       coalesce((SELECT failing_since IS NULL FROM before), false)

-- name: tops_due
-- Tables whose tops to look at: those of boards whose row, or a shard's, changed after the webhook's interval, and all others
-- once a minute, as not every change of a top is a change of that row. A board has its table of all time, if it
-- shows that, and the current one of each period. One that was never looked at is noted, and looked at the
-- next time; so is one that was looked at in the future, by a clock that was ahead.
WITH watched AS (
    SELECT id AS webhook, table_name, pace,
           (SELECT string_agg(concat_ws(' ', version, event_ms, event_seq, extract(epoch FROM updated)),
                              ' ' ORDER BY one.board)
            FROM board AS one
            WHERE one.board = name OR one.board > name || '.' AND one.board < name || '/') AS mark
    FROM webhook AS hook CROSS JOIN unnest(boards) AS named (name) JOIN board ON board = name
         CROSS JOIN LATERAL (
             SELECT board AS table_name
             WHERE coalesce((settings::jsonb ->> 'allTime')::boolean, true)
             UNION ALL
             (SELECT DISTINCT ON (period) held.table_name FROM period_occurrence AS held
              WHERE held.board = name AND state <> 'final'
              ORDER BY period, occurrence DESC)) AS shown
    WHERE 'top.changed' = ANY (events)
), noted AS (
    INSERT INTO webhook_top (webhook, board)
    SELECT webhook, table_name FROM watched
    WHERE (webhook, table_name) NOT IN (SELECT webhook, board FROM webhook_top)
    ON CONFLICT DO NOTHING
)
UPDATE webhook_top AS told SET looked = now()
FROM watched
WHERE (watched.webhook, watched.table_name) = (told.webhook, told.board)
  AND (told.looked <= now() - make_interval(
           secs => CASE WHEN seen IS DISTINCT FROM mark THEN pace ELSE greatest(pace, 60) END)
       OR told.looked > now())
RETURNING told.webhook, told.board, mark

-- name: tell_top
-- $1 webhook, $2 table, $3 what its board's row said, $4 the top, $5 the event's body. The event takes the place
-- of one of the board and the period that was not delivered.
WITH before AS (
    SELECT top IS DISTINCT FROM $4 AS changed FROM webhook_top
    WHERE (webhook, board) = ($1, $2) FOR UPDATE
), known AS (
    UPDATE webhook_top SET seen = $3, top = $4
    FROM before WHERE (webhook, board) = ($1, $2)
), gone AS (
    DELETE FROM outside_event AS event USING before
    WHERE changed AND event.webhook = $1 AND kind = 'top.changed' AND state <> 'delivered'
      AND event.board = $5::jsonb ->> 'board'
      AND event.body ->> 'period' IS NOT DISTINCT FROM $5::jsonb ->> 'period'
)
INSERT INTO outside_event (webhook, kind, board, body)
SELECT $1, 'top.changed', $5::jsonb ->> 'board', $5::jsonb FROM before WHERE changed

-- name: bring_forward
-- What is due in more than $1 seconds, which is longer than any pause: a clock was ahead when it was put off.
UPDATE outside_event SET due = now()
WHERE state = 'waiting' AND due > now() + make_interval(secs => $1)

-- name: tidy
-- What was delivered stays for $1 days and $2 of a webhook, what was given up $3 days, and both with what
-- waits $4 of a webhook. Returns how many went that were not delivered, but for those of webhooks that are
-- gone.
WITH kept AS (
    SELECT hook.id, (
        SELECT event.id FROM outside_event AS event
        WHERE event.webhook = hook.id AND state = 'delivered'
        ORDER BY event.id DESC OFFSET $2::integer LIMIT 1) AS delivered, (
        SELECT event.id FROM outside_event AS event
        WHERE event.webhook = hook.id AND state <> 'delivered'
        ORDER BY event.id DESC OFFSET $4::integer LIMIT 1) AS others
    FROM webhook AS hook
), unwatched AS (
    DELETE FROM webhook_top
    WHERE webhook NOT IN (SELECT id FROM webhook)
       OR position(':' IN board) > 0 AND NOT EXISTS (
           SELECT FROM period_occurrence WHERE table_name = webhook_top.board AND state <> 'final')
), gone AS (
    DELETE FROM outside_event AS event
    WHERE event.webhook NOT IN (SELECT id FROM webhook)
       OR state = 'delivered' AND ended < now() - make_interval(days => $1)
       OR state = 'dead' AND ended < now() - make_interval(days => $3)
       OR EXISTS (SELECT FROM kept WHERE kept.id = event.webhook
                  AND event.id <= CASE state WHEN 'delivered' THEN delivered ELSE others END)
    RETURNING event.webhook, state
)
SELECT count(*) FROM gone
WHERE state = 'waiting' AND webhook IN (SELECT id FROM webhook)

-- name: tell_of_erasure
SELECT tell_outsiders('player.erased', NULL, $1::jsonb)

-- name: forget
SELECT forget_in_events($1)
