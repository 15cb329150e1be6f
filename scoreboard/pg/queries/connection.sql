-- name: waits_for_client
-- Whether the process waits for its client to begin a statement, and has done so for a while. If it
-- waits for more of a statement, how many bytes it has of it: of a COPY; of any other, 0.
SELECT state LIKE 'idle%' AND clock_timestamp() - state_change > interval '2 s' AS idle,
       CASE WHEN state = 'active' AND wait_event = 'ClientRead'
            THEN coalesce(bytes_processed, 0) END AS has
FROM pg_stat_activity LEFT JOIN pg_stat_progress_copy USING (pid)
WHERE pid = $1
