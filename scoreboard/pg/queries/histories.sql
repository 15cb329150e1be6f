-- name: actions
-- The actions of a user $2 on the board $1 that concern a table, newest first: up to $9 from $4 until before
-- $5 (Unix ms), before the event ($6, $7) unless that is null; with those refused only if $8. $3 is
-- the occurrence ('week:12'; '' of all time); of the refused it has those of its time.
SELECT action_id, points, event_ms, event_seq,
       CASE WHEN reverted_event_ms IS NOT NULL THEN 'reverted' ELSE status::text END AS status,
       CASE WHEN $3::text = '' THEN score
            ELSE (SELECT moved.score FROM moves_of(tables) AS moved WHERE moved.occurrence = $3)
       END AS score,
       (extract(epoch FROM occurred_at) * 1000)::bigint AS occurred_ms,
       reverted_event_ms, reverted_event_seq,
       CASE WHEN status = 'refused' AND $8 THEN agents_against(attempt_id) END AS agents
FROM score_action
WHERE board = $1 AND user_id = $2 AND event_ms >= $4 AND event_ms < $5
  AND ($6::bigint IS NULL OR (event_ms, event_seq) < ($6, $7::bigint))
  AND (status = 'accepted' OR $8::boolean)
  AND ($3 = '' OR $3 = ANY (amends)
       OR EXISTS (SELECT FROM unnest(tables) AS move WHERE starts_with(move, $3 || ' '))
       OR status = 'refused' AND EXISTS (
           SELECT FROM period_occurrence
           WHERE table_name = $1 || ':' || $3 AND starts_at <= event_ms AND event_ms < ends_at))
ORDER BY event_ms DESC, event_seq DESC
LIMIT $9

-- name: own
-- What a user $2 of the board $1 did in a table, as it is kept: $3 as above, $4 turns points. Older actions that
-- are folded are one row, as if it had counted at the event that decided.
SELECT action_id, points AS posted, $4::smallint * points AS points, ARRAY[event_ms, event_seq] AS event,
       ARRAY[reverted_event_ms, reverted_event_seq] AS reverted,
       reverted_event_ms IS NOT NULL AS taken,
       CASE WHEN $3::text = '' THEN score
            ELSE (SELECT moved.score FROM moves_of(tables) AS moved WHERE moved.occurrence = $3)
       END AS score, 1::bigint AS actions, false AS folded
FROM score_action
WHERE board = $1 AND user_id = $2 AND status = 'accepted'
  AND ($3 = '' OR $3 = ANY (amends)
       OR EXISTS (SELECT FROM unnest(tables) AS move WHERE starts_with(move, $3 || ' ')))
UNION ALL
SELECT NULL, NULL, total, ARRAY[event_ms, event_seq], NULL, false, NULL, actions, true
FROM folded_total
WHERE table_name = CASE $3 WHEN '' THEN $1 ELSE $1 || ':' || $3 END AND user_id = $2
  AND total IS NOT NULL AND event_ms IS NOT NULL

-- name: scores
-- The total at the end of each of the hours or days that begin at $6 (Unix ms; the last of them is where
-- the last one ends), of those in which something happened: its place in that list, from 1. An event that
-- counted has left its total behind; what is left after one that took back follows from the others. $5 is
-- the operator.
SELECT place, CASE WHEN gives AND ended.score IS NOT NULL THEN ended.score ELSE (
    SELECT CASE $5::text WHEN 'sum' THEN coalesce(sum(points), 0)::bigint
                         WHEN 'best' THEN max(points)
                         ELSE (max(event || points))[3] END
    FROM own WHERE event <= at AND (NOT taken OR reverted > at)) END AS score
FROM (SELECT DISTINCT ON (place) place, at, gives, score
      FROM (SELECT width_bucket(at[1], $6::bigint[]) AS place, at, gives, score
            FROM (SELECT event AS at, true AS gives, score FROM own WHERE NOT folded
                  UNION ALL
                  SELECT reverted, false, NULL FROM own WHERE taken) AS events) AS placed
      WHERE place BETWEEN 1 AND cardinality($6) - 1
      ORDER BY place, at DESC) AS ended
ORDER BY place DESC

-- name: any_before
-- Whether the user $2 did something in the table before $5 (Unix ms).
SELECT EXISTS (SELECT FROM own WHERE event[1] < $5::bigint)

-- name: total_at
-- The total of a user after the event ($6, $7), by the operator $5; null: none is left.
SELECT CASE $5::text WHEN 'sum' THEN coalesce(sum(points), 0)::bigint
                     WHEN 'best' THEN max(points)
                     ELSE (max(event || points))[3] END
FROM own
WHERE event <= ARRAY[$6::bigint, $7] AND (NOT taken OR reverted > ARRAY[$6, $7])

-- name: counted
-- How many actions of the user count now, and the one that alone gives the total where the operator $5 is
-- not a sum.
SELECT coalesce(sum(actions), 0)::bigint AS actions,
       (SELECT event FROM own WHERE NOT taken
        ORDER BY CASE $5::text WHEN 'best' THEN -points END, 
                 CASE $5 WHEN 'best' THEN event END, event DESC
        LIMIT 1) AS decisive
FROM own WHERE NOT taken

-- name: detail_from
-- Unix ms; 0: all is known.
SELECT detail_from($1)

-- name: known
-- The user's row in the table: hidden or not, and the total that the ledger gives.
SELECT score, ledger, hidden FROM ledger_totals($1, ARRAY[$2])
