-- name: having
-- Which of the boards $1 has the user $2, $3 rather than another.
SELECT board FROM user_score WHERE board = ANY ($1::text[]) AND user_id = $2
ORDER BY board <> $3
LIMIT 1
