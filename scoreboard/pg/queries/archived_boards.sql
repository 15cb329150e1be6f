-- name: version
SELECT version FROM board WHERE board = $1

-- name: top
-- In the order of Redis: score, then who reached it earlier, then the larger name.
SELECT user_id, score FROM user_score
WHERE board = $1 AND NOT hidden
ORDER BY score DESC, reached_at, user_id DESC
LIMIT $2

-- name: players
SELECT count(*) FROM user_score WHERE board = $1 AND NOT hidden

-- name: standing
-- One user's rank, counted over the index above the user's place.
SELECT mine.score, 1 + (
    SELECT count(*) FROM user_score AS better
    WHERE better.board = $1 AND NOT better.hidden AND better.score >= mine.score
      AND (better.score > mine.score OR better.reached_at < mine.reached_at
           OR better.reached_at = mine.reached_at AND better.user_id > mine.user_id)
) AS rank
FROM user_score AS mine
WHERE mine.board = $1 AND mine.user_id = $2 AND NOT mine.hidden

-- name: standings
-- Many users' ranks in one pass over the board.
SELECT user_id, score, rank FROM (
    SELECT user_id, score,
           row_number() OVER (ORDER BY score DESC, reached_at, user_id DESC) AS rank
    FROM user_score WHERE board = $1 AND NOT hidden
) AS ranked
WHERE user_id = ANY ($2::text[])

-- name: neighbours
-- A user and up to $3 users on each side, best first.
WITH mine AS (
    SELECT score, reached_at, user_id FROM user_score
    WHERE board = $1 AND user_id = $2 AND NOT hidden
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
