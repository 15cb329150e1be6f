-- name: boards
-- The boards that have something of the user $1, found by the keys of their rows. One that is being removed has
-- it until that is done.
SELECT board FROM (SELECT board FROM board
                   UNION SELECT board FROM board_removal WHERE doing IS NOT NULL) AS known
WHERE EXISTS (SELECT FROM user_score AS one WHERE (one.board, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM score_action AS one WHERE (one.board, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM review AS one WHERE (one.board, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM ledger_checkpoint AS one
              WHERE (one.table_name, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM board_join AS one WHERE (one.board, one.user_id) = (known.board, $1))
ORDER BY board

-- name: tables
-- The tables of the board $1 that have the user $2, and whether each is final.
SELECT name, coalesce(state = 'final' AND NOT pruned, false) AS final
FROM (SELECT $1::text COLLATE "C" AS name, NULL AS state, NULL::boolean AS pruned
      UNION ALL
      SELECT table_name, state, pruned FROM period_occurrence WHERE board = $1) AS known
WHERE EXISTS (SELECT FROM user_score AS one WHERE (one.board, one.user_id) = (name, $2))
ORDER BY name

-- name: devices
-- By what names the user $2 told devices on the board $1; $3 at most, behind $4.
SELECT DISTINCT device
FROM (SELECT (context ->> 'deviceId') COLLATE "C" AS device FROM score_action
      WHERE (board, user_id) = ($1, $2)
      UNION ALL
      SELECT (context ->> 'deviceId') COLLATE "C" FROM review
      WHERE (board, user_id) = ($1, $2)) AS told
WHERE device > $4
ORDER BY device LIMIT $3

-- name: erase_actions
-- $1 board, $2 user, $3 most rows: how many went.
WITH chunk AS (
    SELECT action_id FROM score_action WHERE (board, user_id) = ($1, $2) LIMIT $3
), gone AS (
    DELETE FROM score_action AS action USING chunk
    WHERE (action.board, action.user_id) = ($1, $2) AND action.action_id = chunk.action_id
    RETURNING 1
)
SELECT count(*) FROM gone

-- name: erase_refused
-- The same of actions that never counted.
WITH chunk AS (
    SELECT action_id FROM score_action
    WHERE (board, user_id) = ($1, $2) AND status = 'refused' LIMIT $3
), gone AS (
    DELETE FROM score_action AS action USING chunk
    WHERE (action.board, action.user_id) = ($1, $2) AND action.action_id = chunk.action_id
      AND action.status = 'refused'
    RETURNING 1
)
SELECT count(*) FROM gone

-- name: erase_folded
-- What older actions of the user $2 came to, in all tables of the board $1.
DELETE FROM ledger_checkpoint
WHERE user_id = $2 AND (table_name = $1 OR table_name IN (SELECT table_name FROM period_occurrence
                                                          WHERE period_occurrence.board = $1))

-- name: rename_folded
UPDATE ledger_checkpoint SET user_id = $3
WHERE user_id = $2 AND (table_name = $1 OR table_name IN (SELECT table_name FROM period_occurrence
                                                          WHERE period_occurrence.board = $1))

-- name: rename_actions
-- $1 board, $2 user, $3 most rows, $4 pseudonym, $5 salt. Ids of actions are the game's own words, and may tell
-- whose they are.
WITH chunk AS (
    SELECT action_id FROM score_action WHERE (board, user_id) = ($1, $2) LIMIT $3
), renamed AS (
    UPDATE score_action AS action
    SET user_id = $4, context = NULL, occurred_at = NULL, revert_reason = NULL,
        action_id = left(encode(sha256(convert_to($5 || action.action_id, 'UTF8')), 'hex'), 32)
    FROM chunk
    WHERE (action.board, action.user_id) = ($1, $2) AND action.action_id = chunk.action_id
    RETURNING 1
)
SELECT count(*) FROM renamed

-- name: receipts
-- Actions of the user $2 on the board $1 whose latest event is beyond ($3, $4).
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents,
       previous, tables
FROM kept_action
WHERE (board, user_id) = ($1, $2) AND (latest_ms, latest_seq) > ($3, $4)

-- name: erase_reviews
-- $1 board, $2 user, $3 most rows, $4 whether late duplicates stay that were not taken back yet.
WITH chunk AS (
    SELECT id FROM review
    WHERE (board, user_id) = ($1, $2) AND NOT ($4 AND kind = 'late_duplicate' AND status = 'open')
    LIMIT $3
), gone AS (
    DELETE FROM review USING chunk WHERE review.id = chunk.id RETURNING 1
)
SELECT count(*) FROM gone

-- name: rename_reviews
-- $1 board, $2 user, $3 pseudonym, $4 salt.
UPDATE review SET user_id = $3, context = NULL, occurred_at = NULL,
    action_id = left(encode(sha256(convert_to($4 || action_id, 'UTF8')), 'hex'), 32)
WHERE (board, user_id) = ($1, $2)

-- name: erase_total
DELETE FROM user_score WHERE (board, user_id) = ($1, $2)

-- name: rename_total
UPDATE user_score SET user_id = $3 WHERE (board, user_id) = ($1, $2)

-- name: rank_without
SELECT amend_table($1)

-- name: rank_renamed
-- Of equal totals at the same moment, the name decides.
SELECT rank_table($1, shared) FROM period_occurrence
WHERE table_name = $1 AND EXISTS (SELECT FROM misplaced_in($1, shared))

-- name: erase_joins
-- From the board $1 and its occurrences.
DELETE FROM board_join
WHERE user_id = $2 AND (board = $1 OR board IN (SELECT table_name FROM period_occurrence
                                                WHERE period_occurrence.board = $1))

-- name: rename_joins
UPDATE board_join SET user_id = $3
WHERE user_id = $2 AND (board = $1 OR board IN (SELECT table_name FROM period_occurrence
                                                WHERE period_occurrence.board = $1))

-- name: erase_changes
DELETE FROM profile_change WHERE (board, user_id) = ($1, $2)

-- name: judge_again
-- Where the user $2 is the last whose weeks on the board $1 are judged, that begins anew: a week becomes one case. Who is
-- keeping how far it is just then is waited for.
UPDATE judged_week SET after_user = CASE after_user WHEN $2 THEN '' ELSE after_user END
WHERE board = $1

-- name: wait_for_days
-- Until nobody who began before keeps a day of the board.
SELECT FROM board WHERE board = $1 FOR UPDATE

-- name: erase_lone_days
-- Pieces of days of the board $1 that have the user $2 alone.
DELETE FROM daily_ranks
WHERE (table_name = $1 OR table_name >= $1 || ':' AND table_name < $1 || ';')
  AND first_user = $2 AND cardinality(users) = 1

-- name: erase_days
UPDATE daily_ranks AS piece
SET users = piece.users[:place - 1] || piece.users[place + 1:],
    ranks = piece.ranks[:place - 1] || piece.ranks[place + 1:],
    scores = piece.scores[:place - 1] || piece.scores[place + 1:],
    first_user = piece.users[CASE place WHEN 1 THEN 2 ELSE 1 END]
FROM (SELECT near.table_name, near.starts_at, near.first_user, array_position(near.users, $2) AS place
      FROM daily_table AS day CROSS JOIN LATERAL (
          SELECT * FROM daily_ranks AS one
          WHERE (one.table_name, one.starts_at) = (day.table_name, day.starts_at)
            AND one.first_user <= $2
          ORDER BY one.first_user DESC LIMIT 1) AS near
      WHERE day.table_name = $1
         OR day.table_name >= $1 || ':' AND day.table_name < $1 || ';') AS holding
WHERE (piece.table_name, piece.starts_at, piece.first_user)
    = (holding.table_name, holding.starts_at, holding.first_user) AND place IS NOT NULL

-- name: strip_profile
-- Leaves only whom may see the user $1, if there is more.
UPDATE profile
SET display_name = NULL, avatar_url = NULL, country = NULL, metadata = NULL, updated = now(),
    revision = greatest(revision + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
WHERE user_id = $1
  AND (display_name, avatar_url, country, metadata) IS DISTINCT FROM (NULL, NULL, NULL, NULL)
RETURNING revision, visibility

-- name: erase_profile
DELETE FROM profile WHERE user_id = $1 RETURNING revision

-- name: erase_all_changes
WITH rechecks AS (DELETE FROM profile_recheck WHERE user_id = $1)
DELETE FROM profile_change WHERE user_id = $1

-- name: erase_audit
-- What was decided stays, not about whom.
UPDATE admin_audit SET user_id = NULL, action_id = NULL, reason = '' WHERE user_id = $1

-- name: dead_letters
-- Up to $1 behind ($2, $3).
SELECT partition, event_id, field_names, field_values FROM dead_event
WHERE (partition, event_id) > ($2, $3) ORDER BY partition, event_id LIMIT $1

-- name: drop_letter
DELETE FROM dead_event WHERE (partition, event_id) = ($1, $2)

-- name: rename_letter
UPDATE dead_event SET field_values = $3, error = 'of a player who is anonymous now'
WHERE (partition, event_id) = ($1, $2)
