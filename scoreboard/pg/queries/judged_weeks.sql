-- name: due
-- The boards whose gate is on and has a model, and whose users' weeks up to that of $1, a Monday, are not judged.
SELECT board.board, settings FROM board LEFT JOIN judged_week AS known USING (board)
WHERE board.mode <> 'off' AND (known.week IS NULL OR known.week < $1)
  AND EXISTS (SELECT FROM anomaly_model AS model
              WHERE model.active AND model.board IN (board.board, ''))
ORDER BY board.board

-- name: begin
-- Begins a pass through the users of the board $1 up to the week $2, or goes on with one. The first pass of a board is
-- about the latest week only. No row when the board is gone.
INSERT INTO judged_week AS known (board, week, passing)
SELECT board, $2::date - 7, $2 FROM board WHERE board = $1
ON CONFLICT (board) DO UPDATE SET passing = coalesce(known.passing, excluded.passing)
RETURNING passing, ((week + 7 - date '1970-01-01') * 86400000::bigint) AS since_ms, after_user

-- name: users
-- $1 board, $2 behind whom, $3 since when (Unix ms), $4 how many: the last of the next users, and those of them of whom
-- something changed since then.
WITH next AS (
    SELECT user_id, last_event_ms FROM user_score
    WHERE board = $1 AND user_id > $2 ORDER BY user_id LIMIT $4
)
SELECT max(user_id) AS last,
       coalesce(array_agg(user_id ORDER BY user_id) FILTER (WHERE last_event_ms >= $3), '{}') AS acted
FROM next

-- name: advance
-- The board's pass up to the week $2 is behind the user $3. No row when it is over, or the board is gone. Kept is the
-- last user up to there who is on the board by now: that one may have been erased meanwhile.
UPDATE judged_week
SET after_user = coalesce((SELECT user_id FROM user_score
                           WHERE user_score.board = $1 AND user_id <= $3
                           ORDER BY user_id DESC LIMIT 1), '')
WHERE board = $1 AND passing = $2 RETURNING board

-- name: end
UPDATE judged_week SET week = passing, passing = NULL, after_user = ''
WHERE board = $1 AND passing = $2

-- name: add_cases
-- $1 board, $2 since when (Unix ms), $3 users, $4 the Mondays of their weeks, $5 findings. Each is about the user's last
-- action of the week, of those that count, can be taken back and have no case; where the week has its case already, a
-- trigger leaves it out.
INSERT INTO review (attempt_id, kind, board, user_id, action_id, points, event_ms, event_seq,
                    occurred_at, context, findings)
SELECT attempt_id, 'flagged', $1, found.user_id, action_id, points, event_ms, event_seq,
       occurred_at, context, findings::jsonb
FROM unnest($3::text[], $4::date[], $5::text[]) AS found (user_id, monday, findings)
     CROSS JOIN LATERAL (
    SELECT attempt_id, action_id, points, event_ms, event_seq, occurred_at, context
    FROM score_action AS action
    WHERE action.board = $1 AND action.user_id = found.user_id
      AND status = 'accepted' AND reverted_event_ms IS NULL AND NOT starts_with(attempt_id, 'import:')
      AND monday_of(coalesce((extract(epoch FROM occurred_at) * 1000)::bigint, action.event_ms)) = monday
      AND action.event_ms >= greatest($2, (SELECT max(to_ms) FROM ledger_part WHERE state <> 'open'),
                                      (SELECT until_ms FROM ledger_folded))
      AND NOT EXISTS (SELECT FROM review AS known WHERE known.attempt_id = action.attempt_id)
    ORDER BY action.event_ms DESC, action.event_seq DESC LIMIT 1) AS latest
ORDER BY attempt_id
ON CONFLICT (attempt_id) DO NOTHING
RETURNING id
