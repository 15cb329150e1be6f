-- name: boards
SELECT board FROM board ORDER BY board

-- name: detail_from
-- Unix ms; 0: all is known.
SELECT detail_from($1)

-- name: is_open
SELECT EXISTS (SELECT FROM period_occurrence WHERE table_name = $1 AND state <> 'final')

-- name: misplaced
-- Up to $2 users of the final table $1; nobody while it is to be ranked anew.
SELECT user_id, due, stored
FROM period_occurrence CROSS JOIN LATERAL misplaced_in(table_name, shared)
WHERE table_name = $1 AND state = 'final' AND NOT pruned AND unranked IS NULL
LIMIT $2

-- name: settings
SELECT settings FROM board WHERE board = $1

-- name: users
-- Of a table, like the next three.
SELECT count(*) FROM user_score
WHERE board = $1 AND score IS NOT NULL
  AND EXISTS (SELECT FROM board AS known WHERE known.board = split_part($1, ':', 1))

-- name: next_users
-- Up to $3 users of a table behind the user $2.
SELECT user_id FROM user_score
WHERE board = $1 AND user_id > $2
  AND EXISTS (SELECT FROM board AS known WHERE known.board = split_part($1, ':', 1))
ORDER BY user_id LIMIT $3

-- name: totals
-- Every user of the tables $2 of the board $1 with what the ledger gives, including users that only one of the
-- two has, in the order of the tables. Of a board that is being removed, and has no row any more, nothing is
-- found; so above and below.
SELECT table_name, user_id, score, ledger, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM ledger_totals_of($1, $2)
WHERE EXISTS (SELECT FROM board AS known WHERE known.board = $1)

-- name: totals_of
-- The same for the users in $2 of the table $1.
SELECT user_id, score, ledger, (extract(epoch FROM reached_at) * 1000)::bigint, hidden
FROM ledger_totals($1, $2)
WHERE EXISTS (SELECT FROM board AS known WHERE known.board = split_part($1, ':', 1))

-- name: receipts_of
-- The actions of the users in $2 with the ids in $3. Each is looked up by its key (OFFSET keeps it so):
-- Postgres, before it has statistics of a young ledger, would read the whole board.
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents,
       previous, tables
FROM unnest($2::text[], $3::text[]) AS listed (wanted_user, wanted_action) CROSS JOIN LATERAL (
    SELECT * FROM kept_action
    WHERE (board, user_id, action_id) = ($1, wanted_user, wanted_action) OFFSET 0) AS known
WHERE EXISTS (SELECT FROM board AS known WHERE known.board = $1)
