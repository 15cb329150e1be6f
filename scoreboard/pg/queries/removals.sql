-- name: get
SELECT board, doing, version, epoch FROM board_removal WHERE board = $1

-- name: shards
-- Names of boards compare by their bytes, of which the one behind a dot is a slash.
SELECT board FROM board WHERE board > $1 || '.' AND board < $1 || '/'
UNION SELECT board FROM board_removal
WHERE board > $1 || '.' AND board < $1 || '/' AND doing IS NOT NULL
ORDER BY board

-- name: abandoned
-- Those that are not done and that nobody has worked on for $1 seconds.
SELECT board, doing, version, epoch FROM board_removal
WHERE doing IS NOT NULL AND touched < now() - make_interval(secs => $1)
ORDER BY touched

-- name: lacking_rights
-- The tables of which the role may not delete rows.
SELECT array(SELECT name FROM unnest(ARRAY['board', 'user_score', 'score_action', 'review',
                                           'anomaly_model', 'dead_event', 'board_join',
                                           'period_occurrence', 'outside_event',
                                           'webhook_top', 'profile_change',
                                           'ledger_checkpoint', 'ledger_detail']) AS name
             WHERE NOT has_table_privilege(name, 'DELETE'))

-- name: begin
-- $1 board, $2 what to do, $3 version. The row of the board moves here; no row when there is none.
WITH gone AS (
    DELETE FROM board WHERE board = $1 RETURNING board, partition, settings, created
), begun AS (
    INSERT INTO board_removal AS known
           (board, partition, doing, version, event_ms, event_seq, settings, created)
    SELECT board, partition, $2, $3, coalesce(progress.event_ms, 0),
           coalesce(progress.event_seq, 0),
           CASE $2 WHEN 'clear' THEN settings END, CASE $2 WHEN 'clear' THEN created END
    FROM gone LEFT JOIN partition_progress AS progress USING (partition)
    ON CONFLICT (board) DO UPDATE
    SET doing = excluded.doing, version = greatest(known.version, excluded.version),
        event_ms = excluded.event_ms, event_seq = excluded.event_seq,
        settings = excluded.settings, created = excluded.created, epoch = '', touched = now()
    RETURNING board, doing, version, epoch
)
SELECT begun.*, gone.settings FROM begun JOIN gone USING (board)

-- name: touch
-- Says that the removal of $1 at version $2 is worked on; no row when it is done. Until the end of the
-- transaction nobody else does so or finishes it.
UPDATE board_removal SET touched = now()
WHERE board = $1 AND version = $2 AND doing IS NOT NULL
RETURNING partition, event_ms, event_seq

-- name: actions
-- $1 board, $2 most rows, then the key of the last row that is gone: how many went, the last one's key.
WITH chunk AS (
    SELECT user_id, action_id FROM score_action
    WHERE board = $1 AND (user_id, action_id) > ($3, $4)
    ORDER BY user_id, action_id LIMIT $2
), gone AS (
    DELETE FROM score_action AS action USING chunk
    WHERE action.board = $1
      AND (action.user_id, action.action_id) = (chunk.user_id, chunk.action_id)
    RETURNING action.user_id, action.action_id
)
SELECT count(*) OVER (), user_id, action_id FROM gone ORDER BY user_id DESC, action_id DESC LIMIT 1

-- name: folded
WITH chunk AS (
    SELECT table_name, user_id, part FROM ledger_checkpoint
    WHERE (table_name = $1 OR table_name >= $1 || ':' AND table_name < $1 || ';')
      AND (table_name, user_id, part) > ($3, $4, $5)
    ORDER BY table_name, user_id, part LIMIT $2
), gone AS (
    DELETE FROM ledger_checkpoint AS known USING chunk
    WHERE (known.table_name, known.user_id, known.part) = (chunk.table_name, chunk.user_id, chunk.part)
    RETURNING known.table_name, known.user_id, known.part
)
SELECT count(*) OVER (), table_name, user_id, part FROM gone
ORDER BY table_name DESC, user_id DESC, part DESC LIMIT 1

-- name: details
WITH chunk AS (
    SELECT part FROM ledger_detail WHERE board = $1 AND part > $3 ORDER BY part LIMIT $2
), gone AS (
    DELETE FROM ledger_detail AS known USING chunk
    WHERE known.board = $1 AND known.part = chunk.part
    RETURNING known.part
)
SELECT count(*) OVER (), part FROM gone ORDER BY part DESC LIMIT 1

-- name: users
WITH chunk AS (
    SELECT user_id FROM user_score WHERE board = $1 AND user_id > $3 ORDER BY user_id LIMIT $2
), gone AS (
    DELETE FROM user_score AS total USING chunk
    WHERE total.board = $1 AND total.user_id = chunk.user_id
    RETURNING total.user_id
)
SELECT count(*) OVER (), user_id FROM gone ORDER BY user_id DESC LIMIT 1

-- name: users_of_occurrences
-- The same for all tables of occurrences, whose names go on behind the board's: ; comes after : alone.
WITH chunk AS (
    SELECT board, user_id FROM user_score
    WHERE board >= $1 || ':' AND board < $1 || ';' AND (board, user_id) > ($3, $4)
    ORDER BY board, user_id LIMIT $2
), gone AS (
    DELETE FROM user_score AS total USING chunk
    WHERE (total.board, total.user_id) = (chunk.board, chunk.user_id)
    RETURNING total.board, total.user_id
)
SELECT count(*) OVER (), board, user_id FROM gone ORDER BY board DESC, user_id DESC LIMIT 1

-- name: joins_of_occurrences
WITH chunk AS (
    SELECT board, user_id FROM board_join
    WHERE board >= $1 || ':' AND board < $1 || ';' AND (board, user_id) > ($3, $4)
    ORDER BY board, user_id LIMIT $2
), gone AS (
    DELETE FROM board_join AS known USING chunk
    WHERE (known.board, known.user_id) = (chunk.board, chunk.user_id)
    RETURNING known.board, known.user_id
)
SELECT count(*) OVER (), board, user_id FROM gone ORDER BY board DESC, user_id DESC LIMIT 1

-- name: occurrences
WITH chunk AS (
    SELECT period, occurrence FROM period_occurrence
    WHERE board = $1 AND (period, occurrence) > ($3, $4)
    ORDER BY period, occurrence LIMIT $2
), gone AS (
    DELETE FROM period_occurrence AS known USING chunk
    WHERE known.board = $1
      AND (known.period, known.occurrence) = (chunk.period, chunk.occurrence)
    RETURNING known.period, known.occurrence
)
SELECT count(*) OVER (), period, occurrence FROM gone ORDER BY period DESC, occurrence DESC LIMIT 1

-- name: outside_events
WITH chunk AS (
    SELECT id FROM outside_event WHERE board = $1 AND id > $3 ORDER BY id LIMIT $2
), gone AS (
    DELETE FROM outside_event AS told USING chunk WHERE told.id = chunk.id RETURNING told.id
)
SELECT count(*) OVER (), id FROM gone ORDER BY id DESC LIMIT 1

-- name: tops
WITH chunk AS (
    SELECT board, webhook FROM webhook_top
    WHERE (board = $1 OR board >= $1 || ':' AND board < $1 || ';')
      AND (board, webhook) > ($3, $4)
    ORDER BY board, webhook LIMIT $2
), gone AS (
    DELETE FROM webhook_top AS told USING chunk
    WHERE (told.board, told.webhook) = (chunk.board, chunk.webhook)
    RETURNING told.board, told.webhook
)
SELECT count(*) OVER (), board, webhook FROM gone ORDER BY board DESC, webhook DESC LIMIT 1

-- name: profile_changes
WITH chunk AS (
    SELECT user_id FROM profile_change WHERE board = $1 AND user_id > $3 ORDER BY user_id LIMIT $2
), gone AS (
    DELETE FROM profile_change AS change USING chunk
    WHERE change.board = $1 AND change.user_id = chunk.user_id
    RETURNING change.user_id
)
SELECT count(*) OVER (), user_id FROM gone ORDER BY user_id DESC LIMIT 1

-- name: joins
WITH chunk AS (
    SELECT user_id FROM board_join WHERE board = $1 AND user_id > $3 ORDER BY user_id LIMIT $2
), gone AS (
    DELETE FROM board_join AS known USING chunk
    WHERE known.board = $1 AND known.user_id = chunk.user_id
    RETURNING known.user_id
)
SELECT count(*) OVER (), user_id FROM gone ORDER BY user_id DESC LIMIT 1

-- name: reviews
WITH chunk AS (
    SELECT id FROM review WHERE board = $1 AND id > $3 ORDER BY id LIMIT $2
), gone AS (
    DELETE FROM review USING chunk WHERE review.id = chunk.id RETURNING review.id
)
SELECT count(*) OVER (), id FROM gone ORDER BY id DESC LIMIT 1

-- name: models
WITH chunk AS (
    SELECT version FROM anomaly_model WHERE board = $1 AND version > $3 ORDER BY version LIMIT $2
), gone AS (
    DELETE FROM anomaly_model AS model USING chunk WHERE model.version = chunk.version
    RETURNING model.version
)
SELECT count(*) OVER (), version FROM gone ORDER BY version DESC LIMIT 1

-- name: dead_letters
-- $1 partition, $2 most rows, $3 the event id of the last one seen.
SELECT event_id, field_names, field_values FROM dead_event
WHERE partition = $1 AND event_id > $3 ORDER BY event_id LIMIT $2

-- name: drop_dead_letters
DELETE FROM dead_event WHERE partition = $1 AND event_id = ANY ($2::text[])

-- name: finish
-- $1 board, $2 version, $3 the history of Redis in which nothing is left of it.
UPDATE board_removal SET doing = NULL, epoch = $3, touched = now()
WHERE board = $1 AND version = $2 AND doing IS NOT NULL
RETURNING board

-- name: restore
-- A board that was cleared gets its row back.
WITH kept AS (
    SELECT board, partition, settings, version, event_ms, event_seq, created FROM board_removal
    WHERE board = $1
), emptied AS (
    UPDATE board_removal SET settings = NULL, created = NULL WHERE board = $1
)
INSERT INTO board (board, partition, settings, version, event_ms, event_seq, created)
SELECT board, partition, settings, version, event_ms, event_seq, created FROM kept

-- name: swept
-- $1 board, $2 the history of Redis in which nothing is left of it.
UPDATE board_removal SET epoch = $2 WHERE board = $1
