-- name: knows
-- Whether there is the board, and what its removal does that is not done.
SELECT EXISTS (SELECT FROM board WHERE board = $1),
       (SELECT doing FROM board_removal WHERE board = $1)

-- name: count_accepted
-- How many of the board's actions, $2 users and $3 action ids, were accepted. Each is looked up by its key
-- (OFFSET keeps it so): Postgres, before it has statistics of a young ledger, would read the whole board.
SELECT count(DISTINCT (wanted_user, wanted_action))
FROM unnest($2::text[], $3::text[]) AS asked (wanted_user, wanted_action) CROSS JOIN LATERAL (
    SELECT status FROM score_action
    WHERE (board, user_id, action_id) = ($1, wanted_user, wanted_action) OFFSET 0) AS known
WHERE status = 'accepted'

-- name: prepare_session
-- The staging table of this connection; not logged, empty again after every transaction. A process
-- that stalls amid a batch must not keep its partition for long.
SET idle_in_transaction_session_timeout = '15s';
SET scoreboard.asks = 'on'; -- insert_unknown asks the other parts of the ledger; leave_out_known() need not
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
    previous    bigint,
    occurred_ms bigint,
    attempt_id  text COLLATE "C",
    context     text,
    findings    text,
    taken_ms    bigint,
    taken_seq   bigint,
    reason      text,
    tables      text[],
    amends      text[],
    opened      bigint[]
) ON COMMIT DELETE ROWS

-- name: progress
-- Of each partition that is asked about the highest event persisted; and below which events (Unix ms) the ledger has
-- other parts than the one of an event of $2, the default part's begins behind all: null while there are no parts;
-- and the key of erased players' digests, if anybody was ever erased.
SELECT {asked}, coalesce(progress.event_ms, 0), coalesce(progress.event_seq, 0),
       CASE WHEN EXISTS (SELECT FROM ledger_part) THEN
           coalesce((SELECT coalesce(from_ms, 0) FROM ledger_part
                     WHERE to_ms > $2 AND (from_ms IS NULL OR from_ms <= $2)), 9223372036854775807)
       END,
       (SELECT value FROM installation_secret WHERE name = 'erasures' AND EXISTS (SELECT FROM erased_player))
FROM {source} LEFT JOIN partition_progress AS progress ON partition = {asked}

-- name: leave_removed
-- Events of boards that were deleted or cleared after them are gone; only a Redis that has lost its last
-- commands brings them back.
DELETE FROM staged USING board_removal AS removal
WHERE staged.board = removal.board
  AND (staged.event_ms, staged.event_seq) <= (removal.event_ms, removal.event_seq)
RETURNING staged.event_ms, staged.event_seq

-- name: add_overtaken
-- Events come in order. So a new event at or before the highest event persisted, ($1, $2), belongs
-- to a history that Redis had lost and that came back: Redis was emptied and reloaded from Postgres,
-- and then a crash undid that. The totals since then lack such actions and get them now. Dead
-- letters that are tried again ($3: their partition) are in the totals already. Final tables are
-- amended below.
UPDATE user_score AS total
SET score = CASE operator WHEN 'sum' THEN total.score + missed.points
                          WHEN 'best' THEN greatest(total.score, missed.best)
                          ELSE total.score END,
    updated = now()
FROM (SELECT later.board, later.user_id, operator, sum(points * sign) AS points,
             max(points * sign) AS best
      FROM staged JOIN board USING (board)
           CROSS JOIN LATERAL (
               SELECT staged.board AS name
               UNION ALL SELECT staged.board || ':' || occurrence FROM moves_of(tables)) AS moved
           JOIN user_score AS later ON (later.board, later.user_id) = (moved.name, staged.user_id)
      WHERE kind = 'A' AND (staged.event_ms, staged.event_seq) <= ($1, $2)
        AND (last_event_ms, last_event_seq) > (staged.event_ms, staged.event_seq)
        AND NOT EXISTS (SELECT FROM score_action AS known
                        WHERE (known.board, known.user_id, known.action_id)
                            = (staged.board, staged.user_id, staged.action_id))
        AND NOT EXISTS (SELECT FROM dead_event
                        WHERE partition = $3 AND event_id = staged.event_ms || '-' || staged.event_seq)
        AND NOT EXISTS (SELECT FROM period_occurrence
                        WHERE table_name = later.board AND state = 'final')
      GROUP BY later.board, later.user_id, operator) AS missed
WHERE (total.board, total.user_id) = (missed.board, missed.user_id)

-- name: insert_actions
-- Ordered by key, so that writers never deadlock; of two rows of one
-- action in a batch the earlier event wins.
INSERT INTO score_action (board, user_id, action_id, points, score, previous, status, attempt_id,
                          event_ms, event_seq, occurred_at, context, tables, amends)
SELECT board, user_id, action_id, points, score, previous,
       CASE kind WHEN 'A' THEN 'accepted' ELSE 'refused' END::action_status,
       attempt_id, event_ms, event_seq,
       to_timestamp(occurred_ms / 1000::double precision), context::jsonb, tables, amends
FROM staged
WHERE kind IN ('A', 'R')
ORDER BY board, user_id, action_id, event_ms, event_seq
ON CONFLICT DO NOTHING

-- name: insert_unknown
-- The same, of actions that no other part of the ledger has; those with events before $2 or at $1 (Unix ms) or
-- later are not asked for. The inner query is in order, so that neighbours of an index are asked for one after
-- another, and a subquery for each row is what that takes, however few rows the planner expects.
INSERT INTO score_action (board, user_id, action_id, points, score, previous, status, attempt_id,
                          event_ms, event_seq, occurred_at, context, tables, amends)
SELECT board, user_id, action_id, points, score, previous,
       CASE kind WHEN 'A' THEN 'accepted' ELSE 'refused' END::action_status,
       attempt_id, event_ms, event_seq,
       to_timestamp(occurred_ms / 1000::double precision), context::jsonb, tables, amends
FROM (SELECT DISTINCT ON (board, user_id, action_id) * FROM staged
      WHERE kind IN ('A', 'R')
      ORDER BY board, user_id, action_id, event_ms, event_seq) AS first
WHERE (SELECT true FROM score_action AS known
       WHERE (known.board, known.user_id, known.action_id)
           = (first.board, first.user_id, first.action_id)
         AND known.event_ms < $1::bigint AND known.event_ms >= $2::bigint
       LIMIT 1) IS NULL
ON CONFLICT DO NOTHING

-- name: approve_refused
-- An accepted event of the same attempt over a refused row is a reviewer's approval.
UPDATE score_action AS action
SET status = 'accepted', score = staged.score, previous = staged.previous,
    event_ms = staged.event_ms, event_seq = staged.event_seq, recorded_at = now(),
    tables = staged.tables, amends = staged.amends
FROM staged
WHERE staged.kind = 'A' AND action.status = 'refused' AND action.attempt_id = staged.attempt_id
  AND (action.board, action.user_id, action.action_id)
    = (staged.board, staged.user_id, staged.action_id)

-- name: late_duplicates
-- Accepted events whose action the ledger has under another event, with the original. An event at
-- or before the highest event persisted, ($1, $2), is taken only when it was found before: otherwise
-- it is from a history that Redis had lost, counts under the other event, and is in no total.
SELECT DISTINCT ON (staged.event_ms, staged.event_seq)
       staged.board, staged.event_ms, staged.event_seq, staged.points, staged.attempt_id,
       staged.reached_ms, staged.tables, user_id, action_id, kept, original.points,
       original.score, original.attempt_id, latest_ms, latest_seq, agents, original.previous,
       original.tables
FROM staged JOIN kept_action AS original USING (board, user_id, action_id)
WHERE staged.kind = 'A'
  AND NOT EXISTS (SELECT FROM score_action AS own
                  WHERE (own.board, own.user_id, own.action_id, own.event_ms, own.event_seq)
                      = (staged.board, staged.user_id, staged.action_id,
                         staged.event_ms, staged.event_seq))
  AND ((staged.event_ms, staged.event_seq) > ($1, $2)
       OR EXISTS (SELECT FROM review WHERE review.attempt_id = staged.attempt_id
                                       AND review.kind = 'late_duplicate'))
ORDER BY staged.event_ms, staged.event_seq, original.event_ms DESC, original.event_seq DESC

-- name: record_late_duplicates
-- For review; settled by the event that takes it back, or by a rebuild.
INSERT INTO review (attempt_id, kind, board, user_id, action_id, points, event_ms, event_seq,
                    occurred_at, context, tables)
SELECT staged.attempt_id, 'late_duplicate', board, user_id, action_id, staged.points,
       staged.event_ms, staged.event_seq,
       to_timestamp(staged.occurred_ms / 1000::double precision), staged.context::jsonb,
       staged.tables
FROM staged
WHERE staged.kind = 'A'
  AND EXISTS (SELECT FROM score_action AS known
              WHERE (known.board, known.user_id, known.action_id)
                  = (staged.board, staged.user_id, staged.action_id))
  AND NOT EXISTS (SELECT FROM score_action AS own
                  WHERE (own.board, own.user_id, own.action_id, own.event_ms, own.event_seq)
                      = (staged.board, staged.user_id, staged.action_id,
                         staged.event_ms, staged.event_seq))
  AND (staged.event_ms, staged.event_seq) > ($1, $2)
ON CONFLICT (attempt_id) DO UPDATE SET kind = 'late_duplicate', tables = excluded.tables
    WHERE review.kind <> 'late_duplicate'

-- name: advance_totals
-- The last writer wins by event id: a row never moves back.
INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)
SELECT DISTINCT ON (board, user_id)
       board, user_id, score,
       to_timestamp(coalesce(reached_ms, event_ms) / 1000::double precision), event_ms, event_seq
FROM staged
WHERE kind IN ('A', 'V')
ORDER BY board, user_id, event_ms DESC, event_seq DESC
ON CONFLICT (board, user_id) DO UPDATE
SET score = excluded.score, reached_at = excluded.reached_at,
    last_event_ms = excluded.last_event_ms, last_event_seq = excluded.last_event_seq,
    updated = now()
WHERE (user_score.last_event_ms, user_score.last_event_seq)
    < (excluded.last_event_ms, excluded.last_event_seq)

-- name: open_occurrences
INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at)
SELECT board, user_id, opened[1], opened[2], opened[3], opened[4]
FROM staged WHERE kind = 'P'
ORDER BY board, user_id, opened[1], event_ms, event_seq
ON CONFLICT DO NOTHING

-- name: advance_tables
-- The same for the occurrences that events moved. Who is hidden on the board is so in a new one. A final
-- table has no last writer: it is amended below.
INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq, hidden)
SELECT DISTINCT ON (name, user_id)
       name, user_id, moved.score,
       to_timestamp(coalesce(moved.reached_ms, event_ms) / 1000::double precision),
       event_ms, event_seq,
       EXISTS (SELECT FROM user_score AS own
               WHERE (own.board, own.user_id) = (staged.board, staged.user_id) AND own.hidden)
FROM staged CROSS JOIN LATERAL moves_of(tables) AS moved
     CROSS JOIN LATERAL (SELECT staged.board || ':' || occurrence COLLATE "C" AS name) AS of_table
WHERE kind IN ('A', 'V')
  AND NOT EXISTS (SELECT FROM period_occurrence WHERE table_name = name AND state = 'final')
ORDER BY name, user_id, event_ms DESC, event_seq DESC
ON CONFLICT (board, user_id) DO UPDATE
SET score = excluded.score, reached_at = excluded.reached_at,
    last_event_ms = excluded.last_event_ms, last_event_seq = excluded.last_event_seq,
    updated = now()
WHERE (user_score.last_event_ms, user_score.last_event_seq)
    < (excluded.last_event_ms, excluded.last_event_seq)

-- name: any_final
-- Whether some of the tables $1 are.
SELECT EXISTS (SELECT FROM period_occurrence
               WHERE table_name = ANY ($1::text[]) AND state = 'final')

-- name: amend_final
-- Final tables that events are about after all: of a moderator, of a dead letter that is tried again, of
-- a history that Redis had lost. Their totals follow from the ledger.
WITH about AS (
    SELECT board || ':' || occurrence AS name, user_id
    FROM staged CROSS JOIN LATERAL moves_of(tables) WHERE kind IN ('A', 'V')
    UNION
    SELECT board || ':' || occurrence, user_id
    FROM staged CROSS JOIN LATERAL unnest(amends) AS occurrence
    UNION
    SELECT board || ':' || occurrence, user_id
    FROM staged JOIN score_action AS action USING (board, user_id, action_id)
         CROSS JOIN LATERAL (SELECT occurrence FROM moves_of(action.tables)
                             UNION ALL SELECT unnest(action.amends)) AS counted
    WHERE kind = 'V'
)
SELECT correct_table(name, array_agg(user_id))
FROM about JOIN period_occurrence ON table_name = name
WHERE state = 'final' AND NOT pruned
GROUP BY name ORDER BY name

-- name: insert_joins
INSERT INTO board_join (board, user_id, event_ms, event_seq)
SELECT DISTINCT ON (name, user_id) name, user_id, event_ms, event_seq
FROM staged CROSS JOIN LATERAL (
    SELECT staged.board AS name
    UNION ALL SELECT staged.board || ':' || occurrence FROM moves_of(tables)) AS joined
WHERE kind = 'J'
ORDER BY name, user_id, event_ms, event_seq
ON CONFLICT DO NOTHING

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
-- Refusals, conflicts, and accepted actions that an agent objected to. Of a user's conflicts on a
-- board at most $1 are open cases. Refused and flagged actions all get one: it is what a decision
-- about them is made on.
WITH conflicts AS (
    SELECT attempt_id,
           (SELECT count(*) FROM review AS known
            WHERE known.status = 'open' AND known.kind = 'conflict'
              AND (known.board, known.user_id) = (staged.board, staged.user_id))
           + row_number() OVER (PARTITION BY board, user_id ORDER BY event_ms, event_seq) AS place
    FROM staged
    WHERE kind = 'C'
      AND NOT EXISTS (SELECT FROM review AS known WHERE known.attempt_id = staged.attempt_id)
)
INSERT INTO review (attempt_id, kind, board, user_id, action_id, points, event_ms, event_seq,
                    occurred_at, context, findings)
SELECT attempt_id, CASE kind WHEN 'R' THEN 'refused' WHEN 'C' THEN 'conflict' ELSE 'flagged' END,
       board, user_id, action_id, points, event_ms, event_seq,
       to_timestamp(occurred_ms / 1000::double precision), context::jsonb,
       CASE jsonb_typeof(findings::jsonb)
           WHEN 'array' THEN findings::jsonb ELSE '[]' END
FROM staged
WHERE kind = 'R' OR (kind = 'A' AND findings IS NOT NULL)
   OR attempt_id IN (SELECT attempt_id FROM conflicts WHERE place <= $1)
ORDER BY attempt_id
ON CONFLICT (attempt_id) DO NOTHING

-- name: count_further
-- Conflicts that got no case are counted on the user's newest open one. Those at or before the
-- highest event persisted, ($1, $2), were counted when they came first.
UPDATE review SET further = review.further + missed.conflicts
FROM (
    SELECT count(*) AS conflicts,
           (SELECT max(known.id) FROM review AS known
            WHERE known.status = 'open' AND known.kind = 'conflict'
              AND (known.board, known.user_id) = (staged.board, staged.user_id)) AS id
    FROM staged
    WHERE kind = 'C' AND (event_ms, event_seq) > ($1, $2)
      AND NOT EXISTS (SELECT FROM review AS known WHERE known.attempt_id = staged.attempt_id)
    GROUP BY board, user_id
) AS missed
WHERE review.id = missed.id

-- name: advance_boards
-- $1 boards, $2 their partitions, $3 versions, $4 and $5 their highest event ids. True when some board's version
-- was more than $6 above that of its events.
WITH highest AS (
    SELECT board, partition, version, event_ms, event_seq
    FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[])
      AS highest (board, partition, version, event_ms, event_seq)
), advanced AS (
    INSERT INTO board AS known (board, partition, version, event_ms, event_seq)
    SELECT board, partition, version, event_ms, event_seq FROM highest
    ORDER BY board
    ON CONFLICT (board) DO UPDATE
    SET version = greatest(known.version, excluded.version),
        event_ms = CASE WHEN (known.event_ms, known.event_seq) < (excluded.event_ms, excluded.event_seq)
                        THEN excluded.event_ms ELSE known.event_ms END,
        event_seq = CASE WHEN (known.event_ms, known.event_seq) < (excluded.event_ms, excluded.event_seq)
                         THEN excluded.event_seq ELSE known.event_seq END,
        updated = now()
    RETURNING board, version
)
SELECT EXISTS (SELECT FROM advanced JOIN highest USING (board)
               WHERE advanced.version - highest.version > $6)

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
