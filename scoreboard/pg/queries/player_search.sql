-- name: boards
-- The totals of the user $1 in the boards' tables of all time, found by the keys of their rows.
SELECT board.board, total.score * board.sign AS score, total.moderated, total.unlisted
FROM board JOIN user_score AS total ON (total.board, total.user_id) = (board.board, $1)
ORDER BY board.board

-- name: named
-- Up to $2 users whose names begin with $1, whatever their capitals.
SELECT user_id, display_name, visibility FROM profile
WHERE starts_with(lower(display_name), lower($1))
ORDER BY lower(display_name), user_id LIMIT $2
