-- name: write
-- Batches that only add new actions: their events by their values, then what is asked of the ledger, then boards
-- with their partitions and the versions and event ids that they come to ($m1 to $m5), the most by which a
-- board's version may be ahead, and partitions with the last event of each ($m7 to $m9). When an action was known
-- its key, or the cast at the end, fails, as that does when a version is further ahead, so that nothing of it
-- is done.
WITH staged AS MATERIALIZED (
    SELECT 'A' AS kind, board COLLATE "C", user_id COLLATE "C", action_id COLLATE "C", points, score,
           event_ms, event_seq, reached_ms, previous, occurred_ms, attempt_id, context,
           NULL::text[] AS tables, NULL::text[] AS amends
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[])
      AS of (board, user_id, action_id, points, score, event_ms, event_seq, reached_ms, previous,
             occurred_ms, attempt_id, context)
), inserted AS (
    {insert_actions}
    RETURNING event_ms
), totals AS (
    {advance_totals}
), advanced AS (
    INSERT INTO board AS known (board, partition, version, event_ms, event_seq)
    {board_marks}
    ORDER BY board
    ON CONFLICT (board) DO UPDATE
    SET version = greatest(known.version, excluded.version),
        event_ms = excluded.event_ms, event_seq = excluded.event_seq, updated = now()
    RETURNING board, version
), progressed AS (
    INSERT INTO partition_progress (partition, event_ms, event_seq)
    {partition_marks}
    ON CONFLICT (partition) DO UPDATE SET event_ms = excluded.event_ms, event_seq = excluded.event_seq
)
SELECT CASE
    WHEN unknown = (SELECT count(*) FROM staged) AND NOT ahead THEN true
    ELSE ('only ' || unknown || ' of its actions are new, or a board is ahead: ' || ahead)::boolean END
FROM (SELECT count(*) AS unknown FROM inserted) AS counted,
     (SELECT EXISTS (SELECT FROM advanced JOIN unnest($m1::text[], $m3::bigint[]) AS own (board, version)
                     USING (board) WHERE advanced.version - own.version > $m6) AS ahead) AS compared

-- name: board_marks_of_one
-- All boards are the partition's $m2.
SELECT board, $m2::integer, version, event_ms, event_seq
FROM unnest($m1::text[], $m3::bigint[], $m4::bigint[], $m5::bigint[]) AS of (board, version, event_ms, event_seq)

-- name: partition_marks_of_one
VALUES ($m7::integer, $m8::bigint, $m9::bigint)

-- name: board_marks_of_several
SELECT board, partition, version, event_ms, event_seq
FROM unnest($m1::text[], $m2::integer[], $m3::bigint[], $m4::bigint[], $m5::bigint[])
  AS of (board, partition, version, event_ms, event_seq)

-- name: partition_marks_of_several
SELECT partition, event_ms, event_seq
FROM unnest($m7::integer[], $m8::bigint[], $m9::bigint[]) AS of (partition, event_ms, event_seq)
ORDER BY partition
