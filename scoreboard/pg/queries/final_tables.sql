-- name: by_place
-- Up to $3 users behind the first $2, best first.
SELECT user_id, score, rank, (extract(epoch FROM reached_at) * 1000)::bigint AS reached_ms
FROM user_score WHERE board = $1 AND place > $2
ORDER BY place LIMIT $3

-- name: up_to
-- The user in the place $2 and those before, up to $3, best last. Places may be empty for a moment.
SELECT user_id, score, rank, (extract(epoch FROM reached_at) * 1000)::bigint AS reached_ms
FROM user_score WHERE board = $1 AND place <= $2
ORDER BY place DESC LIMIT $3

-- name: by_name
SELECT user_id, score, rank FROM user_score
WHERE board = $1 AND user_id = ANY ($2::text[]) AND place IS NOT NULL

-- name: place
SELECT place FROM user_score WHERE board = $1 AND user_id = $2

-- name: above
SELECT users_above($1, $2, $3, $4, $5, $6)
