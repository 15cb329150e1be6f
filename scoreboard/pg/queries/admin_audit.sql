-- name: record
-- $1 who, $2 decision, $3 board, $4 user, $5 action, $6 review, $7 why, $8 details as JSON.
INSERT INTO admin_audit (actor, decision, board, user_id, action_id, review_id, reason, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)

-- name: page
-- Newest first, with ids below $1; $2 who, $3 decision, $4 board, $5 user, $6 boards, $7 from when
-- on, $8 until when: null for any.
SELECT id, at, actor, decision, board, user_id, action_id, review_id, reason, details::text
FROM admin_audit
WHERE id < $1
  AND ($2::text IS NULL OR actor = $2)
  AND ($3::text IS NULL OR decision = $3)
  AND ($4::text IS NULL OR board = $4)
  AND ($5::text IS NULL OR user_id = $5)
  AND ($6::text[] IS NULL OR board = ANY ($6))
  AND ($7::timestamptz IS NULL OR at >= $7)
  AND ($8::timestamptz IS NULL OR at < $8)
ORDER BY id DESC LIMIT $9
