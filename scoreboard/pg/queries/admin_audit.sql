-- name: record
-- $1 who, $2 decision, $3 board, $4 user, $5 action, $6 review, $7 why, $8 details as JSON.
INSERT INTO admin_audit (actor, decision, board, user_id, action_id, review_id, reason, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
