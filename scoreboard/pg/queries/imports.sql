-- name: imported
-- $1 boards, $2 users and $3 ids of actions: those that the ledger has. Each is looked up by its key (OFFSET
-- keeps it so): Postgres, before it has statistics of a young ledger, would read the whole board.
SELECT user_id, action_id, points
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (wanted_board, wanted_user, wanted_action)
     CROSS JOIN LATERAL (
    SELECT user_id, action_id, points FROM score_action
    WHERE (board, user_id, action_id) = (wanted_board, wanted_user, wanted_action) OFFSET 0) AS known

-- name: shards
-- Over how many shards the users of the board $1 are spread; null: it has none.
SELECT (settings::jsonb ->> 'shards')::integer FROM board WHERE board = $1
