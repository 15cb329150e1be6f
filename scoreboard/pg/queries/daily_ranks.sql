-- name: zones
SELECT DISTINCT clock FROM board

-- The days of a board with shards are kept of all shards together, under the names of its tables with ':*' behind.

-- name: due
-- Up to $4 boards of a zone $1, by name behind $3, of whose day that began at $2 (Unix ms) nothing is kept, with
-- their shards. One that was made later had nobody on it then.
SELECT due.board, part.board AS shard, part.event_ms, part.event_seq
FROM (SELECT board, parts_of(board) AS parts FROM board
      WHERE clock = $1 AND board > $3 AND created < to_timestamp($2::bigint / 1000::double precision)
        AND strpos(board, '.') = 0
        AND NOT EXISTS (SELECT FROM daily_table
                        WHERE table_name = board.board
                            || CASE WHEN (settings::jsonb ->> 'shards')::integer > 1 THEN ':*' ELSE '' END
                          AND starts_at <= $2 AND until >= $2)
      ORDER BY board LIMIT $4) AS due
     JOIN board AS part ON part.board = ANY (due.parts)
ORDER BY due.board

-- name: begin
-- The board $1 with the latest event of its shards, if the day $2 is not kept yet and nobody is at it; and what
-- stands behind the names of its tables. A removal waits for the end of the transaction.
SELECT (SELECT max(event_ms) FROM board AS part WHERE part.board = ANY (parts_of($1))) AS event_ms,
       coalesce(settings::jsonb ->> 'rankStyle' = 'standard', false) AS shared, behind
FROM board CROSS JOIN LATERAL (
    SELECT CASE WHEN (settings::jsonb ->> 'shards')::integer > 1 THEN ':*' ELSE '' END AS behind) AS named
WHERE board = $1 AND pg_try_advisory_xact_lock(hashtextextended('daily_ranks ' || board, 0))
  AND NOT EXISTS (SELECT FROM daily_table
                  WHERE table_name = board.board || behind AND starts_at <= $2 AND until >= $2)
FOR KEY SHARE OF board

-- name: tables
-- The board's own, and those of occurrences that are open and had begun before the day $2.
SELECT $1::text AS name
UNION ALL
SELECT table_name FROM period_occurrence WHERE board = $1 AND state <> 'final' AND starts_at < $2

-- name: carry
-- Where nothing has moved since the latest day that is kept of the table $1, that goes on up to the day $2. $3
-- is the board's latest event. No row where something has.
UPDATE daily_table SET until = $2
WHERE table_name = $1 AND moment >= $3
  AND starts_at = (SELECT max(starts_at) FROM daily_table WHERE table_name = $1)
RETURNING table_name

-- name: take
-- The table $1 as it is, for the day $2, at the moment $3; with $4 equal totals share a rank. The ranks are
-- those of the first $5. It is kept under the name $6; nobody beyond the first of each part can be among the first of all.
WITH first_of_parts AS (
    SELECT user_id, score, zset_score(score, reached_at) AS stamped
    FROM unnest(parts_of($1)) AS part CROSS JOIN LATERAL (
        SELECT * FROM user_score WHERE board = part AND NOT hidden AND score IS NOT NULL
        ORDER BY score DESC, zset_score(score, reached_at) DESC, user_id DESC
        LIMIT $5) AS first_of_part
), first_ones AS (
    SELECT user_id, score,
           CASE WHEN $4::boolean THEN rank() OVER (ORDER BY score DESC) ELSE row_number() OVER (
               ORDER BY score DESC, stamped DESC, user_id DESC) END AS place
    FROM first_of_parts
    ORDER BY score DESC, stamped DESC, user_id DESC
    LIMIT $5
), pieces AS (
    INSERT INTO daily_ranks (table_name, starts_at, first_user, users, ranks, scores)
    SELECT $6, $2, min(user_id), array_agg(user_id ORDER BY user_id),
           array_agg(place ORDER BY user_id), array_agg(score ORDER BY user_id)
    FROM (SELECT *, (row_number() OVER (ORDER BY user_id) - 1) / 1000 AS piece
          FROM first_ones) AS numbered
    GROUP BY piece
)
INSERT INTO daily_table (table_name, starts_at, until, moment, users)
SELECT $6, $2, $2, $3, count(*) FROM user_score
WHERE board = ANY (parts_of($1)) AND NOT hidden AND score IS NOT NULL

-- name: drop
-- What is kept of earlier days of the board $1 than $2, but for the days in which the current occurrences of its
-- periods have begun. The days of its own table are under the name $3.
WITH gone AS (
    DELETE FROM daily_table AS old
    WHERE (table_name = $1 OR table_name >= $1 || ':' AND table_name < $1 || ';') AND until < $2
      AND NOT (table_name = $3 AND EXISTS (
          SELECT FROM period_occurrence AS current
          WHERE board = $1
            AND occurrence = (SELECT max(occurrence) FROM period_occurrence AS known
                              WHERE (known.board, known.period) = (current.board, current.period)
                                AND known.starts_at <= $2)
            AND old.starts_at = (SELECT max(starts_at) FROM daily_table AS known
                                 WHERE known.table_name = $3
                                   AND known.starts_at <= current.starts_at)))
    RETURNING table_name, starts_at
)
DELETE FROM daily_ranks AS old USING gone
WHERE (old.table_name, old.starts_at) = (gone.table_name, gone.starts_at)

-- name: then
-- The user $3 in the table $1 at the start of each of the days $2 (Unix ms), as far as it is kept: since when, how
-- many had a rank, and the user's rank and total. Of a board that was made later: nobody.
SELECT wanted, greatest(wanted, known.moment) AS moment, known.users, piece.rank, piece.score,
       created >= to_timestamp(wanted / 1000::double precision) AS was_new
FROM board CROSS JOIN unnest($2::bigint[]) WITH ORDINALITY AS asked (wanted, number)
LEFT JOIN LATERAL (
    SELECT * FROM (SELECT * FROM daily_table WHERE table_name = $1 AND starts_at <= wanted
                   ORDER BY starts_at DESC LIMIT 1) AS latest
    WHERE until >= wanted) AS known ON true
LEFT JOIN LATERAL (
    SELECT ranks[place] AS rank, scores[place] AS score
    FROM (SELECT ranks, scores, array_position(users, $3) AS place
          FROM (SELECT * FROM daily_ranks
                WHERE table_name = $1 AND starts_at = known.starts_at AND first_user <= $3
                ORDER BY first_user DESC LIMIT 1) AS nearest) AS holding
    WHERE place IS NOT NULL) AS piece ON true
WHERE board = split_part($1, ':', 1)
ORDER BY number

-- name: ranks
-- The users $2 in the table $1 at the start of the day $3 (Unix ms): since when that is told, null where nothing is
-- kept, and the rank of each, null for who had none. Of a board that was made later: nobody.
SELECT asked.user_id, piece.rank,
       CASE WHEN created >= to_timestamp($3::bigint / 1000::double precision) THEN $3
            WHEN known.moment IS NOT NULL THEN greatest($3, known.moment) END AS moment
FROM board CROSS JOIN unnest($2::text[]) AS asked (user_id)
LEFT JOIN LATERAL (
    SELECT * FROM (SELECT * FROM daily_table WHERE table_name = $1 AND starts_at <= $3
                   ORDER BY starts_at DESC LIMIT 1) AS latest
    WHERE until >= $3) AS known ON true
LEFT JOIN LATERAL (
    SELECT ranks[array_position(users, asked.user_id)] AS rank
    FROM daily_ranks
    WHERE table_name = $1 AND starts_at = known.starts_at AND first_user <= asked.user_id
    ORDER BY first_user DESC LIMIT 1) AS piece ON true
WHERE board = split_part($1, ':', 1)

-- name: total_by
-- Of a user's actions (histories.sql, own): how many had counted by $6 (Unix ms), and the total that was theirs,
-- by the operator $5.
SELECT count(*) FILTER (WHERE NOT taken OR reverted[1] > $6::bigint) AS counted,
       CASE $5::text WHEN 'sum' THEN
           coalesce(sum(points) FILTER (WHERE NOT taken OR reverted[1] > $6), 0)::bigint
       WHEN 'best' THEN max(points) FILTER (WHERE NOT taken OR reverted[1] > $6)
       ELSE (max(event || points) FILTER (WHERE NOT taken OR reverted[1] > $6))[3] END AS total
FROM own WHERE event[1] <= $6
