-- name: secret
SELECT value FROM installation_secret WHERE name = 'erasures'

-- name: make_secret
-- As the migration did.
INSERT INTO installation_secret
VALUES ('erasures', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))
ON CONFLICT DO NOTHING

-- name: known
-- The key, if anybody was ever erased.
SELECT value FROM installation_secret WHERE name = 'erasures' AND EXISTS (SELECT FROM erased_player)

-- name: tombstones
-- Those of the digests $1 that are there.
SELECT digest, closed, boards, admitted FROM erased_player WHERE digest = ANY ($1::bytea[])

-- name: since
-- Those that changed since $1, all for null, and whether the id is an erased player's.
SELECT digest, admitted IS NULL AS erased, changed FROM erased_player
WHERE $1::timestamptz IS NULL OR changed >= $1 ORDER BY changed

-- name: lock
-- Nobody else asks about the player $1 until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('erasure ' || encode($1::bytea, 'hex'), 0))

-- name: running_of
SELECT id, mode FROM erasure WHERE user_id = $1 AND done IS NULL

-- name: ask
-- $1 id, $2 mode, $3 user, $4 salt.
INSERT INTO erasure (id, mode, user_id, salt) VALUES ($1, $2, $3, $4)

-- name: bury
-- The digest $1. Of a player who was erased and never admitted nothing is written meanwhile, either.
INSERT INTO erased_player AS known (digest, closed) VALUES ($1, false)
ON CONFLICT (digest) DO UPDATE
SET closed = known.closed AND known.admitted IS NULL,
    boards = '{}', admitted = NULL, epoch = '', changed = clock_timestamp()

-- name: get
SELECT id, mode, asked, done, counts::text AS counts FROM erasure WHERE id = $1

-- name: admit
-- The digest $1 is a new player's from $2 (Unix ms) on. No row when it was nobody's.
UPDATE erased_player SET admitted = $2, changed = clock_timestamp()
WHERE digest = $1 AND admitted IS NULL
RETURNING true

-- name: write
-- Until the transaction ends, who waits for writers waits for this one.
SELECT pg_advisory_xact_lock_shared($1, $2)

-- name: wait_for_writers
SELECT pg_advisory_xact_lock($1, $2)

-- name: jobs
-- Only the caller knows the digest, so what stands with that is asked for apart.
SELECT id, mode, user_id, salt, boards FROM erasure WHERE done IS NULL ORDER BY asked, id

-- name: of_job
SELECT closed, boards FROM erased_player WHERE digest = $1

-- name: begin_board
-- The digest $1: from now on, what comes to the board $2 is left out. No row when that was so before.
UPDATE erased_player SET boards = array_append(boards, $2), changed = clock_timestamp()
WHERE digest = $1 AND NOT closed AND $2 <> ALL (boards)
RETURNING true

-- name: load_whole
-- What Redis has of the board $1 below version $2 lacks an erasure.
UPDATE board SET version = greatest(version, $2), whole_below = greatest(whole_below, $2), updated = now()
WHERE board = $1

-- name: end_board
UPDATE erasure SET boards = array_append(boards, $2) WHERE id = $1 AND $2 <> ALL (boards)

-- name: close
UPDATE erased_player SET closed = true, boards = '{}', changed = clock_timestamp()
WHERE digest = $1 AND NOT closed

-- name: count
-- Of the job $1, $3 more of the place $2.
UPDATE erasure
SET counts = jsonb_set(counts, ARRAY[$2::text],
                       to_jsonb(coalesce((counts ->> $2)::bigint, 0) + $3::bigint))
WHERE id = $1

-- name: finish
-- No row when it is done already.
UPDATE erasure SET done = now(), user_id = NULL, salt = NULL, boards = '{}'
WHERE id = $1 AND done IS NULL
RETURNING counts::text

-- name: swept
-- Nothing of the digests $1 is left in this history of Redis, $2.
UPDATE erased_player SET epoch = $2 WHERE digest = ANY ($1::bytea[])

-- name: unswept
-- Those of whom something may be left in the history $1 of Redis.
SELECT digest FROM erased_player
WHERE (epoch < $1 OR epoch > $1) AND closed AND admitted IS NULL
