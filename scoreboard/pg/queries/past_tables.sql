-- name: occurrence
-- The number of the latest occurrence of a period that had started at $3 (Unix ms); 0: none had.
SELECT coalesce(max(occurrence), 0) FROM period_occurrence
WHERE board = $1 AND period = $2 AND starts_at <= $3

-- name: counted
-- The actions of the board $1, all of its shards, that had counted in its table by $2 (Unix ms), with what became of them by
-- then, and the event that moved the total: $3 is the occurrence ('week:12'; '' of all time), $4 turns totals
-- into what is kept. A decision at $5 or later came when the table was final, and moves no stamp. What is
-- folded of a table $6 comes as rows that give what its actions gave, like `of_checkpoints` of ledger_folds.sql.
SELECT user_id, $4::smallint * points AS points, ARRAY[event_ms, event_seq] AS event, reverted,
       CASE WHEN points = 0 THEN NULL
            WHEN reverted IS NOT NULL AND reverted_event_ms < $5::bigint THEN reverted
            WHEN event_ms < $5 THEN ARRAY[event_ms, event_seq] END AS moved
FROM score_action CROSS JOIN LATERAL (
    SELECT CASE WHEN reverted_event_ms <= $2
                THEN ARRAY[reverted_event_ms, reverted_event_seq] END AS reverted) AS by_then
WHERE board = ANY ($1::text[]) AND status = 'accepted' AND event_ms <= $2
  AND ($3::text = '' OR $3 = ANY (amends)
       OR EXISTS (SELECT FROM unnest(tables) AS move WHERE starts_with(move, $3 || ' ')))
UNION ALL
SELECT user_id, stands.*
FROM folded_total CROSS JOIN LATERAL (
    SELECT total, ARRAY[reached_ms, reached_seq], NULL::bigint[],
           CASE WHEN changed THEN ARRAY[reached_ms, reached_seq] END
    WHERE reached_ms IS NOT NULL
    UNION ALL
    SELECT CASE (SELECT operator FROM board WHERE board = $1[1]) WHEN 'sum' THEN 0 ELSE total END,
           ARRAY[event_ms, event_seq], NULL, NULL
    WHERE event_ms IS NOT NULL
    UNION ALL
    SELECT 0, ARRAY[0, 0]::bigint[], ARRAY[taken_ms, taken_seq], NULL
    WHERE taken_ms IS NOT NULL) AS stands
WHERE table_name = ANY ($6::text[])

-- name: detail_from
SELECT max(detail_from(board)) FROM unnest($1::text[]) AS board

-- name: sum
-- Whoever has counted is in the table, with 0 when all is taken back. The total was reached by the last
-- event that changed it, whether it gave or took.
SELECT user_id, coalesce(sum(points) FILTER (WHERE reverted IS NULL), 0)::bigint AS score,
       coalesce(max(moved), min(event)) AS reached
FROM counted GROUP BY user_id

-- name: best
-- The earliest of the best.
SELECT user_id, best[1] AS score, ARRAY[-best[2], -best[3]] AS reached
FROM (SELECT user_id, max(ARRAY[points, -event[1], -event[2]]) AS best
      FROM counted WHERE reverted IS NULL GROUP BY user_id) AS found

-- name: last
-- The total was reached by the first of the equal ones at the end. After an action was taken back, it is
-- the last one left that counts as the one that reached it, however many equal ones came before.
SELECT user_id, (max(event || points))[3] AS score,
       max(event) FILTER (WHERE before IS DISTINCT FROM points
                             OR event < taken AND (later IS NULL OR later > taken)) AS reached
FROM (SELECT user_id, points, event, taken,
             lag(points) OVER events AS before, lead(event) OVER events AS later
      FROM (SELECT *, max(reverted) OVER (PARTITION BY user_id) AS taken FROM counted) AS known
      WHERE reverted IS NULL
      WINDOW events AS (PARTITION BY user_id ORDER BY event)) AS left_over
GROUP BY user_id

-- name: shown
-- Those of a table $6 whom nobody hides now.
SELECT user_id, score, reached FROM totals
WHERE NOT EXISTS (SELECT FROM user_score AS known
                  WHERE known.board = ANY ($6) AND known.user_id = totals.user_id AND known.hidden)

-- name: top
SELECT user_id, score FROM shown ORDER BY score DESC, reached, user_id DESC LIMIT $7

-- name: standing
-- A user $7, the one above and the tenth, with their places, the ranks where equal totals share one, and
-- how many there are.
SELECT user_id, score, place, shared, players
FROM (SELECT user_id, score, row_number() OVER best_first AS place,
             rank() OVER (ORDER BY score DESC) AS shared, count(*) OVER () AS players,
             max(own) OVER () AS own
      FROM (SELECT *, CASE user_id WHEN $7 THEN row_number() OVER best_first END AS own FROM shown
            WINDOW best_first AS (ORDER BY score DESC, reached, user_id DESC)) AS found
      WINDOW best_first AS (ORDER BY score DESC, reached, user_id DESC)) AS ranked
WHERE place IN (own - 1, own, 10) AND own IS NOT NULL
ORDER BY place

-- name: final_at
-- From when on nothing but decisions changes the table; null: no occurrence's.
SELECT final_at FROM period_occurrence WHERE table_name = $1
