-- name: note
-- $1 user, $2 whether the user is hidden now and was not, or the other way round: every board that the
-- user is on, found by the key of each one's row. Boards that come meanwhile are found by a recheck.
WITH noted AS (
    INSERT INTO profile_change AS known (board, user_id, listing)
    SELECT board, $1, $2::boolean FROM board
    WHERE EXISTS (SELECT FROM user_score WHERE (user_score.board, user_id) = (board.board, $1))
    ORDER BY board
    ON CONFLICT (board, user_id) DO UPDATE
    SET asked = excluded.asked, listing = known.listing OR excluded.listing
    RETURNING known.board
)
INSERT INTO profile_recheck (user_id, listing, boards)
VALUES ($1, $2::boolean, ARRAY(SELECT board FROM noted))

-- name: recheck
-- Of up to $1 rechecks of which all earlier transactions have ended: the boards that were not seen. Whoever begins
-- from now on sees the profiles of the rechecks that are there.
WITH ripe AS (
    DELETE FROM profile_recheck
    WHERE (user_id, asked) IN (
        SELECT user_id, asked FROM profile_recheck
        WHERE beyond <= pg_snapshot_xmin(pg_current_snapshot()) ORDER BY asked LIMIT $1)
    RETURNING user_id, listing, boards
), horizons AS (
    UPDATE profile_recheck SET beyond = pg_snapshot_xmax(pg_current_snapshot()) WHERE beyond IS NULL
)
INSERT INTO profile_change AS known (board, user_id, listing)
SELECT board.board, ripe.user_id, bool_or(ripe.listing) FROM ripe CROSS JOIN board
WHERE board.board <> ALL (ripe.boards) AND EXISTS (
    SELECT FROM user_score
    WHERE (user_score.board, user_score.user_id) = (board.board, ripe.user_id))
GROUP BY 1, 2
ORDER BY 1, 2
ON CONFLICT (board, user_id) DO UPDATE
SET asked = excluded.asked, listing = known.listing OR excluded.listing

-- name: turn
-- True for one session at a time, until its transaction ends.
SELECT pg_try_advisory_xact_lock($1, $2)

-- name: pending
-- The oldest $1, but those of the boards $2.
SELECT board, user_id, asked, listing FROM profile_change WHERE board <> ALL ($2::text[]) ORDER BY asked LIMIT $1

-- name: choose
-- $1 board, $2 user: takes over the user's own choice; whether the user is hidden now.
UPDATE user_score SET updated = now(), unlisted = EXISTS (
    SELECT FROM profile WHERE user_id = $2 AND visibility = 'hidden')
WHERE board = $1 AND user_id = $2
RETURNING hidden

-- name: done
DELETE FROM profile_change WHERE (board, user_id, asked) = ($1, $2, $3)
