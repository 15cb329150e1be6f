-- name: get
SELECT settings FROM board WHERE board = $1

-- name: get_unless_removed
-- The settings, and what a removal of the board does that is not done.
SELECT (SELECT settings FROM board WHERE board = $1),
       (SELECT doing FROM board_removal WHERE board = $1)

-- name: all
SELECT board, settings FROM board WHERE strpos(board, '.') = 0 ORDER BY board

-- name: set
-- $1 board, $2 partition, $3 settings; the first version of a new board counts as seen.
INSERT INTO board (board, partition, settings, version) VALUES ($1, $2, $3, 1)
ON CONFLICT (board) DO UPDATE SET settings = excluded.settings, updated = now()

-- name: has_scores
SELECT EXISTS (SELECT FROM user_score WHERE board = $1)
