-- name: boards
-- The totals of the user $1 in the boards' tables of all time, found by the keys of their rows.
SELECT split_part(board.board, '.', 1), total.score * board.sign AS score, total.moderated, total.unlisted
FROM board JOIN user_score AS total ON (total.board, total.user_id) = (board.board, $1)
ORDER BY board.board

-- name: named
-- Up to $2 users whose names begin with $1, whatever their capitals: from that text on up to where the last
-- of all characters follows it, in the order of bytes.
SELECT user_id, display_name, visibility FROM profile
WHERE lower(display_name) COLLATE "C" >= lower($1)
  AND lower(display_name) COLLATE "C" < lower($1) || chr(1114111)
ORDER BY lower(display_name) COLLATE "C", user_id LIMIT $2
