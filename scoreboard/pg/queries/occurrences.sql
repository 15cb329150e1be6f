-- name: due
-- Up to $2 occurrences for which there is something to do at $1 (Unix ms), behind the one that ends at
-- $4 and is named by $5, $6 and $7: with $3 those that have ended and of which the next was not opened
-- yet, else those that can be made final. Of a board that is being removed nothing is.
SELECT board, period, occurrence, starts_at, ends_at, final_at, turned
FROM period_occurrence AS ended JOIN board USING (board)
     CROSS JOIN LATERAL (SELECT EXISTS (
         SELECT FROM period_occurrence AS later
         WHERE (later.board, later.period) = (ended.board, ended.period)
           AND later.occurrence > ended.occurrence) AS turned) AS next
WHERE state <> 'final' AND ends_at BETWEEN $4 AND $1
  AND (ends_at, board, period, occurrence) > ($4, $5, $6, $7)
  AND CASE WHEN $3 THEN NOT turned ELSE final_at <= $1 END
ORDER BY ends_at, board, period, occurrence
LIMIT $2

-- name: unsettled
-- Those of the shards $3 in which the occurrence $2 of the period $1 is neither final nor, by a later one, left
-- out, and whether they have opened it.
SELECT name, own.board IS NOT NULL
FROM unnest($3::text[]) AS name LEFT JOIN period_occurrence AS own
     ON (own.board, own.period, own.occurrence) = (name, $1, $2)
WHERE own.state IS DISTINCT FROM 'final'
  AND (own.board IS NOT NULL
       OR NOT EXISTS (SELECT FROM period_occurrence AS later
                      WHERE (later.board, later.period) = (name, $1) AND later.occurrence > $2))

-- name: latest
-- The latest two of each of a board's periods, the older one first.
WITH RECURSIVE named AS (
    (SELECT period FROM period_occurrence WHERE board = $1 ORDER BY period LIMIT 1)
    UNION ALL
    SELECT (SELECT further.period FROM period_occurrence AS further
            WHERE further.board = $1 AND further.period > named.period
            ORDER BY further.period LIMIT 1)
    FROM named WHERE named.period IS NOT NULL
)
SELECT board, latest.period, occurrence, starts_at, ends_at, final_at, state, users, amended, pruned
FROM named CROSS JOIN LATERAL (
    SELECT * FROM period_occurrence AS known
    WHERE known.board = $1 AND known.period = named.period
    ORDER BY occurrence DESC LIMIT 2) AS latest
ORDER BY latest.period, occurrence

-- name: tables
-- All whose users are kept, open and final.
SELECT board, period, occurrence, starts_at, ends_at, final_at, state, users, amended, pruned
FROM period_occurrence WHERE board = $1 AND NOT pruned
ORDER BY period, occurrence

-- name: open_tables
-- Those that are not final.
SELECT board, period, occurrence, starts_at, ends_at, final_at, state, users, amended, pruned
FROM period_occurrence WHERE board = $1 AND state <> 'final'
ORDER BY period, occurrence

-- name: holding
-- Those that were open at $2 (Unix ms).
SELECT board, period, occurrence, starts_at, ends_at, final_at, state, users, amended, pruned
FROM period_occurrence WHERE board = $1 AND starts_at <= $2 AND $2 < ends_at
ORDER BY period

-- name: of_shards
-- The occurrence $3 of the period $2 of the board $1 with the further shards $4: its own row, which is the last
-- that becomes final, with what is so in any of them. One that a failover took from the first shard is told by
-- another's.
SELECT $1::text, period, occurrence, starts_at, ends_at, final_at,
       CASE WHEN bool_and(state = 'final') OVER ()
             AND EXISTS (SELECT FROM period_occurrence AS known
                         WHERE (known.board, known.period) = ($1, $2) AND known.occurrence >= $3)
            THEN 'final' ELSE 'open' END,
       (sum(users) OVER ())::bigint, bool_or(amended) OVER (), bool_or(pruned) OVER ()
FROM period_occurrence
WHERE board = ANY ($1::text || $4::text[]) AND (period, occurrence) = ($2, $3)
ORDER BY board LIMIT 1

-- name: page
-- Up to $4 of a period, newest first, before the number $3 (null: from the newest on), with the users
-- of those that are open, too. What is so in one of the further shards $5 is so of the board.
SELECT board, period, occurrence, starts_at, ends_at, final_at, state, of_shards.*
FROM period_occurrence AS known CROSS JOIN LATERAL (
    SELECT (sum(CASE part.state WHEN 'final' THEN part.users ELSE (
                SELECT count(*) FROM user_score
                WHERE user_score.board = part.table_name AND NOT hidden AND score IS NOT NULL)
            END))::bigint AS users, bool_or(part.amended) AS amended, bool_or(part.pruned) AS pruned
    FROM period_occurrence AS part
    WHERE part.board = ANY ($1::text || $5::text[])
      AND (part.period, part.occurrence) = (known.period, known.occurrence)) AS of_shards
WHERE board = $1 AND period = $2 AND ($3::bigint IS NULL OR occurrence < $3)
ORDER BY occurrence DESC LIMIT $4

-- name: large
-- Those of the tables $1 with more than $2 users.
SELECT name FROM unnest($1::text[]) AS name
WHERE EXISTS (SELECT FROM user_score WHERE board = name OFFSET $2)

-- name: keep_open
-- Nobody makes the table $1 final before this transaction ends. Whether equal totals share a rank by the
-- board's rule; no row when it is final already.
SELECT coalesce(settings::jsonb ->> 'rankStyle' = 'standard', false)
FROM period_occurrence JOIN board USING (board)
WHERE table_name = $1 AND state <> 'final'
FOR NO KEY UPDATE OF period_occurrence

-- name: rank
SELECT rank_table($1, $2)

-- name: finalise
-- $1 board, $2 period, $3 number: stores the ranks by the board's rule; a trigger records the event for
-- outsiders. No row when the occurrence is final already.
UPDATE period_occurrence AS ended
SET state = 'final', shared = style, users = rank_table(table_name, style)
FROM (SELECT board, coalesce(settings::jsonb ->> 'rankStyle' = 'standard', false) AS style
      FROM board) AS rules
WHERE rules.board = ended.board AND state <> 'final'
  AND (ended.board, period, occurrence) = ($1, $2, $3)
RETURNING users

-- name: next_unranked
-- The smallest final table that decisions changed since it was ranked, and how many they are.
SELECT table_name, unranked FROM period_occurrence
WHERE unranked IS NOT NULL AND state = 'final' AND NOT pruned
ORDER BY users LIMIT 1

-- name: ranking_turn
-- True for one session at a time, until its transaction ends.
SELECT pg_try_advisory_xact_lock($1, $2)

-- name: rank_again
SELECT rank_table(table_name, shared) FROM period_occurrence
WHERE table_name = $1 AND state = 'final' AND NOT pruned

-- name: ranked
-- The table $1 has $2 users with a rank. Decisions beyond the $3 that were known are not in that yet.
UPDATE period_occurrence
SET users = $2, unranked = CASE unranked WHEN $3::bigint THEN NULL ELSE unranked END
WHERE table_name = $1 AND NOT pruned

-- name: to_prune
-- The final ones of a period whose rows are to go, but for the latest $3, oldest first.
SELECT table_name FROM (
    SELECT occurrence, table_name FROM period_occurrence
    WHERE board = $1 AND period = $2 AND state = 'final' AND NOT emptied
    ORDER BY occurrence DESC OFFSET $3
) AS old
ORDER BY occurrence

-- name: begin_pruning
-- From the first chunk on nobody reads it. No row when its rows are gone.
UPDATE period_occurrence SET pruned = true
WHERE table_name = $1 AND state = 'final' AND NOT emptied
RETURNING table_name

-- name: prune
-- Up to $2 users of a table behind the user $3: how many went, and the last of them.
WITH chunk AS (
    SELECT user_id FROM user_score WHERE board = $1 AND user_id > $3 ORDER BY user_id LIMIT $2
), gone AS (
    DELETE FROM user_score AS total USING chunk
    WHERE total.board = $1 AND total.user_id = chunk.user_id
    RETURNING total.user_id
)
SELECT count(*) AS users, max(user_id) AS last FROM gone

-- name: end_pruning
WITH joined AS (
    DELETE FROM board_join WHERE board = $1
), folded AS (
    DELETE FROM ledger_checkpoint WHERE table_name = $1
)
UPDATE period_occurrence SET emptied = true WHERE table_name = $1
