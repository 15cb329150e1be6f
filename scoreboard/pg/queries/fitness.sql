-- name: process
SELECT pg_backend_pid()

-- name: no_owner
-- The present role, unless it has the rights of who owns the tables.
SELECT current_user FROM pg_class WHERE oid = 'setup'::regclass AND NOT pg_has_role(relowner, 'USAGE')

-- name: lacking_rights
-- What the role would be granted (grants.sql) and does not have.
SELECT current_user,
       array(SELECT format('%s on %s', privilege, relname)
             FROM pg_class,
                  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']
                         || CASE WHEN relname IN ('board', 'user_score', 'score_action', 'review',
                                              'anomaly_model', 'dead_event', 'revoked_token',
                                              'board_join', 'period_occurrence', 'outside_event',
                                              'profile', 'profile_change', 'profile_recheck',
                                              'webhook', 'webhook_top', 'daily_table',
                                              'daily_ranks', 'ledger_part', 'ledger_checkpoint',
                                              'ledger_changed', 'ledger_detail')
                                 THEN ARRAY['DELETE'] END) AS privilege
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
               AND EXISTS (SELECT FROM schema_migration)
               AND NOT has_table_privilege(pg_class.oid, privilege)
             ORDER BY relname, privilege)
       || CASE WHEN has_database_privilege(current_database(), 'TEMPORARY') THEN NULL
               ELSE ARRAY['TEMPORARY on the database'] END AS lacking
