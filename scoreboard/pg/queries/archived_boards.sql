-- name: board
-- What the table $1 follows: the board's version and settings, and, of a final occurrence, whether equal
-- totals share a rank in it, and how many users have one (otherwise null).
SELECT version, settings, shared, users
FROM board LEFT JOIN period_occurrence ON table_name = $1 AND state = 'final'
WHERE board.board = split_part($1, ':', 1)

-- name: listed
-- Boards in order of their names, in which nothing comes after z: $1 prefix, $2 the name before the
-- first, $3 names or null for all. Settings of a newer version hide nothing. Further shards are no boards to
-- anybody.
SELECT board, coalesce(settings::jsonb ->> 'title', ''),
       coalesce(settings::jsonb ->> 'description', '')
FROM board
WHERE board >= $1 AND board < $1 || '~' AND board > $2 AND strpos(board, '.') = 0
  AND ($3::text[] IS NULL OR board = ANY ($3))
ORDER BY board LIMIT $4

-- name: top
-- In the order of Redis: score, then who reached it earlier, then the larger name.
SELECT user_id, score FROM user_score
WHERE board = $1 AND NOT hidden AND score IS NOT NULL
ORDER BY score DESC, reached_at, user_id DESC
LIMIT $2

-- name: players
SELECT count(*) FROM user_score WHERE board = $1 AND NOT hidden AND score IS NOT NULL

-- name: standing
-- One user's rank, counted over the index above the user's place. With $3, equal totals share one.
SELECT mine.score, 1 + (
    SELECT count(*) FROM user_score AS better
    WHERE better.board = $1 AND NOT better.hidden AND better.score >= mine.score
      AND (better.score > mine.score OR NOT $3::boolean AND (
           better.reached_at < mine.reached_at
           OR better.reached_at = mine.reached_at AND better.user_id > mine.user_id))
) AS rank
FROM user_score AS mine
WHERE mine.board = $1 AND mine.user_id = $2 AND NOT mine.hidden AND mine.score IS NOT NULL

-- name: standings
-- Many users' ranks in one pass over the board. With $3, equal totals share one.
SELECT user_id, score, rank FROM (
    SELECT user_id, score,
           rank() OVER (ORDER BY score DESC, CASE WHEN NOT $3::boolean THEN reached_at END,
                                 CASE WHEN NOT $3::boolean THEN user_id END DESC) AS rank
    FROM user_score WHERE board = $1 AND NOT hidden AND score IS NOT NULL
) AS ranked
WHERE user_id = ANY ($2::text[])

-- name: neighbours
-- A user and up to $3 users on each side, best first.
WITH mine AS (
    SELECT score, reached_at, user_id FROM user_score
    WHERE board = $1 AND user_id = $2 AND NOT hidden AND score IS NOT NULL
), above AS (
    SELECT other.user_id, other.score, other.reached_at FROM user_score AS other, mine
    WHERE other.board = $1 AND NOT other.hidden AND other.score >= mine.score
      AND (other.score > mine.score OR other.reached_at < mine.reached_at
           OR other.reached_at = mine.reached_at AND other.user_id > mine.user_id)
    ORDER BY other.score, other.reached_at DESC, other.user_id
    LIMIT $3
), below AS (
    SELECT other.user_id, other.score, other.reached_at FROM user_score AS other, mine
    WHERE other.board = $1 AND NOT other.hidden AND other.score <= mine.score
      AND (other.score < mine.score OR other.reached_at > mine.reached_at
           OR other.reached_at = mine.reached_at AND other.user_id < mine.user_id)
    ORDER BY other.score DESC, other.reached_at, other.user_id DESC
    LIMIT $3
)
SELECT user_id, score FROM (
    SELECT user_id, score, reached_at FROM mine
    UNION ALL SELECT user_id, score, reached_at FROM above
    UNION ALL SELECT user_id, score, reached_at FROM below
) AS around
ORDER BY score DESC, reached_at, user_id DESC

-- name: place
-- Where one user stands: the total and the millisecond at which it was reached.
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint AS reached_ms
FROM user_score
WHERE board = $1 AND user_id = $2 AND NOT hidden AND score IS NOT NULL

-- name: above
-- The users of a board, and those who do not stand behind a place: that of a user $5 with score $2 and
-- a stamp that says "reached from $3 to $4".
SELECT count(*) AS players, count(*) FILTER (
    WHERE score > $2
       OR score = $2 AND (reached_at < $3 OR reached_at <= $4 AND user_id >= $5)
) AS above
FROM user_score WHERE board = $1 AND NOT hidden AND score IS NOT NULL

-- name: page
-- Up to $7 users behind such a place but for the first $6 of them, in exactly the order of their zset
-- scores, which can't tell all milliseconds apart.
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint AS reached_ms
FROM user_score
WHERE board = $1 AND NOT hidden AND score <= $2
  AND (score < $2 OR reached_at > $4 OR reached_at >= $3 AND user_id < $5)
ORDER BY score DESC, zset_score(score, reached_at) DESC, user_id DESC
OFFSET $6 LIMIT $7

-- name: page_before
-- Up to $6 users who do not stand behind such a place, the nearest first.
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint AS reached_ms
FROM user_score
WHERE board = $1 AND NOT hidden AND score >= $2
  AND (score > $2 OR reached_at < $3 OR reached_at <= $4 AND user_id >= $5)
ORDER BY score, zset_score(score, reached_at), user_id
LIMIT $6

-- name: places
-- Where listed users stand: their totals and the milliseconds at which these were reached.
SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint AS reached_ms
FROM user_score
WHERE board = $1 AND user_id = ANY ($2::text[]) AND NOT hidden AND score IS NOT NULL

-- name: above_spots
-- Of each spot, the place right behind the user $3 with the zset score $2, how many users stand above it; in
-- one pass over the board.
SELECT above FROM (
    SELECT spot, count(*) FILTER (WHERE spot = 0)
                 OVER (ORDER BY stamped DESC, user_id DESC, spot ROWS UNBOUNDED PRECEDING) AS above
    FROM (SELECT 0 AS spot, zset_score(score, reached_at) AS stamped, user_id
          FROM user_score WHERE board = $1 AND NOT hidden AND score IS NOT NULL
          UNION ALL
          SELECT number, stamped, name COLLATE "C"
          FROM unnest($2::double precision[], $3::text[])
               WITH ORDINALITY AS asked (stamped, name, number)) AS all_of_them
) AS counted
WHERE spot > 0 ORDER BY spot
