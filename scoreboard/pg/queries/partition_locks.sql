-- name: take_if_free
SELECT pg_try_advisory_lock($1, $2)

-- name: take_free
-- Takes the locks of those of the partitions $2 that are free, and says of each whether it was. Who writes then asks
-- all parts of the ledger (insert_unknown), so that leave_out_known() need not.
SELECT partition, pg_try_advisory_lock($1, partition), set_config('scoreboard.asks', 'on', false)
FROM unnest($2::integer[]) AS partition

-- name: take
SELECT pg_advisory_lock($1, $2)

-- name: holder
-- Of a session of another role, Postgres shows only that it is there.
SELECT session.pid, host(session.client_addr) AS address, session.application_name AS program,
       session.state,
       CASE WHEN session.wait_event_type = 'Client'
            THEN extract(epoch FROM clock_timestamp() - session.state_change)::float8
            ELSE 0 END AS idle
FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
WHERE held.locktype = 'advisory' AND held.granted
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND held.classid = $1::int::oid AND held.objid = $2::int::oid AND held.objsubid = 2
LIMIT 1
