-- name: take_turn
SELECT pg_try_advisory_lock($1, $2)

-- name: count
SELECT partitions, repartition FROM setup

-- name: others
-- Sessions of the service's processes in this database, this one apart. Of those of another role Postgres
-- shows only that they are there.
SELECT pid, host(client_addr) AS address, application_name AS program, state, 0::float8 AS idle
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND coalesce(backend_type, 'client backend') = 'client backend'
  AND application_name IN ('scoreboard', current_setting('application_name'))
ORDER BY pid

-- name: begin
UPDATE setup SET repartition = $1

-- name: end
UPDATE setup SET repartition = NULL

-- name: dead_letters
SELECT count(*) FROM dead_event

-- name: boards
SELECT board FROM board ORDER BY board

-- name: removed
SELECT board FROM board_removal

-- name: written_since
-- Boards with an event after $1 (Unix ms).
SELECT board FROM board WHERE event_ms > $1 ORDER BY board

-- name: switch
UPDATE setup SET partitions = repartition WHERE repartition IS NOT NULL RETURNING partitions

-- name: place_boards
-- $1 boards, $2 the partition of each from now on.
UPDATE board SET partition = placed.partition
FROM unnest($1::text[], $2::integer[]) AS placed (board, partition)
WHERE board.board = placed.board AND board.partition <> placed.partition

-- name: place_removals
-- The same of removals.
UPDATE board_removal SET partition = placed.partition
FROM unnest($1::text[], $2::integer[]) AS placed (board, partition)
WHERE board_removal.board = placed.board AND board_removal.partition <> placed.partition

-- name: advance_all
-- Every one of the $1 partitions goes on behind the highest event of all, so no event of a board gets an id
-- below one that the board has had.
INSERT INTO partition_progress AS progress (partition, event_ms, event_seq)
SELECT partition, event_ms, event_seq
FROM generate_series(0, $1 - 1) AS partition
     CROSS JOIN (SELECT event_ms, event_seq FROM partition_progress
                 ORDER BY event_ms DESC, event_seq DESC LIMIT 1) AS highest
ON CONFLICT (partition) DO UPDATE SET event_ms = excluded.event_ms, event_seq = excluded.event_seq

-- name: forget_rest
DELETE FROM partition_progress WHERE partition >= $1
