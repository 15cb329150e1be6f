-- name: due
-- The oldest part, if it ended before $1 (Unix ms) or is being folded; {relation} stands for its table below.
SELECT part, relation, from_ms, to_ms, state, done_board, done_user
FROM ledger_part WHERE state <> 'folded'
ORDER BY to_ms LIMIT 1

-- name: folded
-- Parts whose sums count and are not added to the others yet.
SELECT part FROM ledger_part WHERE state = 'folded' ORDER BY to_ms

-- name: now
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint

-- name: size
-- About how many actions a table has, and how many bytes with its indexes.
SELECT greatest(reltuples, 0)::bigint AS actions, pg_total_relation_size(oid) AS bytes
FROM pg_class WHERE oid = to_regclass($1)

-- name: begin
SELECT begin_ledger_fold({part})

-- name: next_users
-- Up to $3 users of a part behind the user $2 of the board $1.
SELECT DISTINCT board, user_id FROM {relation}
WHERE (board, user_id) > ($1, $2)
ORDER BY board, user_id LIMIT $3

-- name: done
-- Of the part $1.
UPDATE ledger_part SET done_board = $2, done_user = $3 WHERE part = $1

-- name: take_changed
-- Up to $2 users whose actions in the part $1 have changed, in the order in which a batch notes them. It waits
-- for whoever notes one of them now.
WITH taken AS MATERIALIZED (
    SELECT board, user_id FROM ledger_changed WHERE part = $1
    ORDER BY board, user_id LIMIT $2 FOR UPDATE
)
DELETE FROM ledger_changed AS known USING taken
WHERE known.part = $1 AND (known.board, known.user_id) = (taken.board, taken.user_id)
RETURNING known.board, known.user_id

-- name: changed
SELECT count(*) FROM (SELECT FROM ledger_changed WHERE part = $1 LIMIT $2) AS found

-- name: forget
-- The sums of the users $2 and $3 (boards and ids) in the part $1.
DELETE FROM ledger_checkpoint USING unnest($2::text[], $3::text[]) AS whose (board, user_id)
WHERE ledger_checkpoint.part = $1 AND ledger_checkpoint.user_id = whose.user_id
  AND (table_name = board OR table_name >= board || ':' AND table_name < board || ';')

-- name: of_actions
-- What `summed` sums up, of the users $2 and $3 (boards and ids) in a part: for each table in which an action
-- counts, what it gives (turned as it is kept), its event, the event that took it back, the one that moved the
-- total, whether its own says when the user was last at work, and how many actions it stands for. A
-- decision that came when a table was final moved no stamp.
SELECT in_table.name AS table_name, action.user_id, operator, sign * points AS points,
       ARRAY[action.event_ms, action.event_seq] AS event, reverted,
       CASE WHEN points = 0 THEN NULL
            WHEN reverted_event_ms < coalesce(final_at, reverted_event_ms + 1) THEN reverted
            WHEN action.event_ms < coalesce(final_at, action.event_ms + 1)
            THEN ARRAY[action.event_ms, action.event_seq] END AS moved,
       true AS dated, (reverted IS NULL)::integer::bigint AS weight
FROM unnest($2::text[], $3::text[]) AS whose (of_board, of_user)
     CROSS JOIN LATERAL (
         SELECT *, CASE WHEN reverted_event_ms IS NOT NULL
                        THEN ARRAY[reverted_event_ms, reverted_event_seq] END AS reverted
         FROM {relation}
         WHERE (board, user_id) = (of_board, of_user) AND status = 'accepted' OFFSET 0) AS action
     JOIN board ON board.board = of_board
     CROSS JOIN LATERAL (
         SELECT of_board AS name, NULL::bigint AS final_at
         UNION ALL
         SELECT table_name, final_at
         FROM (SELECT occurrence FROM moves_of(tables) UNION SELECT unnest(amends)) AS named
              JOIN period_occurrence AS known
                ON table_name = of_board || ':' || named.occurrence AND NOT pruned) AS in_table

-- name: of_checkpoints
-- The same of the users $2 and $3 (tables and ids) in the parts $4, whose rows go: rows that give what the actions
-- gave, and go on as these would.
SELECT gone.table_name, gone.user_id, operator, stands.*
FROM gone JOIN board ON board.board = split_part(gone.table_name, ':', 1)
     CROSS JOIN LATERAL (
         SELECT total AS points, ARRAY[reached_ms, reached_seq] AS event, NULL::bigint[] AS reverted,
                CASE WHEN changed THEN ARRAY[reached_ms, reached_seq] END AS moved,
                operator <> 'sum' AS dated, actions AS weight
         WHERE reached_ms IS NOT NULL
         UNION ALL
         SELECT CASE operator WHEN 'sum' THEN 0 ELSE total END, ARRAY[gone.event_ms, gone.event_seq], NULL, NULL,
                true, 0
         WHERE gone.event_ms IS NOT NULL
         UNION ALL
         SELECT 0, ARRAY[0, 0]::bigint[], ARRAY[taken_ms, taken_seq], NULL, false, 0
         WHERE taken_ms IS NOT NULL) AS stands

-- name: gone
DELETE FROM ledger_checkpoint AS known USING unnest($2::text[], $3::text[]) AS whose (table_name, user_id)
WHERE (known.table_name, known.user_id) = (whose.table_name, whose.user_id)
  AND known.part = ANY ($4::integer[])
RETURNING known.*

-- name: summed
-- Writes the sums of `counted` as rows of the part $1. The operators are those of past_tables.sql.
INSERT INTO ledger_checkpoint (part, table_name, user_id, total, actions, event_ms, event_seq,
                               reached_ms, reached_seq, changed, taken_ms, taken_seq)
SELECT $1::integer, table_name, user_id, total, actions, last[1], last[2], reached[1], reached[2], changed,
       taken[1], taken[2]
FROM (
    SELECT table_name, user_id,
           coalesce(sum(points) FILTER (WHERE reverted IS NULL), 0)::bigint AS total,
           sum(weight)::bigint AS actions,
           max(event) FILTER (WHERE reverted IS NULL AND dated) AS last,
           coalesce(max(moved), min(event)) AS reached, max(moved) IS NOT NULL AS changed,
           NULL::bigint[] AS taken
    FROM counted WHERE operator = 'sum' GROUP BY table_name, user_id
    UNION ALL
    SELECT table_name, user_id, best[1], actions, ARRAY[-best[2], -best[3]], ARRAY[-best[2], -best[3]],
           true, NULL
    FROM (SELECT table_name, user_id, max(ARRAY[points, -event[1], -event[2]]) AS best,
                 sum(weight)::bigint AS actions
          FROM counted WHERE operator = 'best' AND reverted IS NULL GROUP BY table_name, user_id) AS found
    UNION ALL
    SELECT table_name, user_id, (max(event || points) FILTER (WHERE reverted IS NULL))[3],
           sum(weight)::bigint, max(event) FILTER (WHERE reverted IS NULL),
           max(event) FILTER (WHERE reverted IS NULL
               AND (before IS DISTINCT FROM points OR event < taken AND (later IS NULL OR later > taken))),
           true, max(taken)
    FROM (SELECT *, lag(points) OVER events AS before, lead(event) OVER events AS later
          FROM (SELECT *, max(reverted) OVER (PARTITION BY table_name, user_id) AS taken
                FROM counted WHERE operator = 'last') AS known
          WINDOW events AS (PARTITION BY table_name, user_id, reverted IS NULL ORDER BY event)) AS in_order
    GROUP BY table_name, user_id
) AS sums

-- name: note_detail
-- Boards of the users $2 and $3 of which an action was taken back when its part, $1, had ended at $4 (Unix ms).
INSERT INTO ledger_detail AS known (board, part, from_ms)
SELECT board, $1, max(reverted_event_ms) + 1
FROM {relation} JOIN unnest($2::text[], $3::text[]) AS whose (board, user_id) USING (board, user_id)
WHERE reverted_event_ms >= $4::bigint
GROUP BY board
ON CONFLICT (board, part) DO UPDATE SET from_ms = greatest(known.from_ms, excluded.from_ms)

-- name: lock
LOCK TABLE score_action IN ACCESS EXCLUSIVE MODE

-- name: end
SELECT end_ledger_fold($1)

-- name: checkpoints
-- Up to $2 sums of the part $1.
SELECT table_name, user_id FROM ledger_checkpoint
WHERE part = $1 AND part > 0 ORDER BY table_name, user_id LIMIT $2

-- name: merge_detail
INSERT INTO ledger_detail AS known (board, part, from_ms)
SELECT board, 0, from_ms FROM ledger_detail WHERE part = $1
ON CONFLICT (board, part) DO UPDATE SET from_ms = greatest(known.from_ms, excluded.from_ms)

-- name: drop_detail
DELETE FROM ledger_detail
WHERE part = $1 OR part = 0 AND from_ms <= (SELECT until_ms FROM ledger_folded)

-- name: drop_part
DELETE FROM ledger_part WHERE part = $1 AND state = 'folded'

-- name: archived
-- All of a part, in no order.
SELECT board, user_id, action_id, points, score, previous, status::text, event_ms, event_seq,
       reverted_event_ms, reverted_event_seq, occurred_at, recorded_at, attempt_id, revert_reason,
       context::text, tables, amends
FROM {relation}
