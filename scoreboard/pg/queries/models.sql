-- name: active
-- The models in force: the board ('' for all that have none of their own) and the version.
SELECT board, version FROM anomaly_model WHERE active

-- name: content
SELECT content FROM anomaly_model WHERE version = $1

-- name: add
-- $1 board, $2 and $3 the training window, $4 false-alarm rate, $5 quality as JSON, $6 content.
INSERT INTO anomaly_model (board, trained_from, trained_to, false_alarm_rate, quality, content)
VALUES ($1, to_timestamp($2::bigint / 1000.0), to_timestamp($3::bigint / 1000.0), $4, $5::jsonb, $6)
RETURNING version

-- name: turn
-- Those who put models of one board in force do so one after the other: each sees what the one before left.
SELECT FROM anomaly_model
WHERE board = (SELECT board FROM anomaly_model WHERE version = $1) ORDER BY version FOR UPDATE

-- name: deactivate
-- The model in force, if any, that model $1 is to replace.
UPDATE anomaly_model SET active = false
WHERE active AND board = (SELECT board FROM anomaly_model WHERE version = $1)
RETURNING version

-- name: activate
UPDATE anomaly_model SET active = true WHERE version = $1 RETURNING board

-- name: hold_back
UPDATE anomaly_model SET active = false WHERE active AND version = $1 RETURNING version

-- name: board_of
SELECT board FROM anomaly_model WHERE version = $1

-- name: previous
-- The model before the one in force on board $1, for a rollback.
SELECT max(version) FROM anomaly_model
WHERE board = $1
  AND version < (SELECT version FROM anomaly_model WHERE board = $1 AND active)

-- name: due
-- Boards with a gate and without a model of their own from the last $1 seconds.
SELECT board.board FROM board
WHERE board.mode <> 'off'
  AND NOT EXISTS (SELECT FROM anomaly_model AS model
                  WHERE model.board = board.board
                    AND model.created > now() - make_interval(secs => $1))
ORDER BY board.board

-- name: list
-- Those that judge any of the boards $1, or all (null).
SELECT version, board, active, created, false_alarm_rate, quality::text,
       (extract(epoch FROM trained_from) * 1000)::bigint AS first_ms,
       (extract(epoch FROM trained_to) * 1000)::bigint AS last_ms,
       length(content) AS bytes
FROM anomaly_model
WHERE $1::text[] IS NULL OR board = '' OR board = ANY ($1)
ORDER BY version DESC
LIMIT 100
