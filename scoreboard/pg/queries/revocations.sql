-- name: since
-- What was recorded from $1 on (all when null) and is still in force.
SELECT kind, name, extract(epoch FROM issued_before)::float8, extract(epoch FROM until)::float8
FROM revoked_token
WHERE until > now() AND ($1::timestamptz IS NULL OR recorded >= $1)

-- name: clock
SELECT now()

-- name: forget
DELETE FROM revoked_token WHERE until < now() - interval '1 day'

-- name: add
-- $1 kind, $2 name, $3 issued before and $4 until, in Unix seconds.
INSERT INTO revoked_token AS known (kind, name, issued_before, until)
VALUES ($1, $2, to_timestamp($3::float8), to_timestamp($4::float8))
ON CONFLICT (kind, name) DO UPDATE
SET issued_before = greatest(known.issued_before, excluded.issued_before),
    until = greatest(known.until, excluded.until), recorded = now()
