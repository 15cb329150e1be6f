-- name: boards
SELECT board FROM board ORDER BY board

-- name: users
SELECT count(*) FROM user_score WHERE board = $1

-- name: next_users
-- Up to $3 users of a board behind the user $2.
SELECT user_id FROM user_score WHERE board = $1 AND user_id > $2 ORDER BY user_id LIMIT $3

-- name: totals
-- Every user of a board with the ledger's sum, including users that only one of the two has.
SELECT user_id, total.score, coalesce(ledger.points, 0)::bigint,
       (extract(epoch FROM total.reached_at) * 1000)::bigint, coalesce(total.hidden, false)
FROM (
    SELECT user_id, score, reached_at, hidden FROM user_score WHERE board = $1
) AS total
FULL JOIN (
    SELECT user_id, sum(points) AS points FROM score_action
    WHERE board = $1 AND status = 'accepted' AND reverted_event_ms IS NULL
    GROUP BY user_id
) AS ledger USING (user_id)

-- name: totals_of
-- The same for the users in $2.
SELECT user_id, total.score, coalesce(ledger.points, 0)::bigint,
       (extract(epoch FROM total.reached_at) * 1000)::bigint, coalesce(total.hidden, false)
FROM (
    SELECT user_id, score, reached_at, hidden FROM user_score
    WHERE board = $1 AND user_id = ANY ($2::text[])
) AS total
FULL JOIN (
    SELECT user_id, sum(points) AS points FROM score_action
    WHERE board = $1 AND user_id = ANY ($2::text[])
      AND status = 'accepted' AND reverted_event_ms IS NULL
    GROUP BY user_id
) AS ledger USING (user_id)

-- name: receipts_of
-- The actions of the users in $2 with the ids in $3.
SELECT user_id, action_id, kept, points, score, attempt_id, latest_ms, latest_seq, agents
FROM kept_action JOIN unnest($2::text[], $3::text[]) AS listed (user_id, action_id)
    USING (user_id, action_id)
WHERE board = $1
