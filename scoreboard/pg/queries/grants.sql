-- name: quoted
-- The role and the database as identifiers; the role NULL when there is none of this name.
SELECT (SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = $1) AS role,
       quote_ident(current_database()) AS database

-- name: grants
-- What a role needs to serve and persist; again, it changes nothing.
GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role};
GRANT DELETE ON board, user_score, score_action, review, anomaly_model, dead_event, revoked_token,
    board_join, period_occurrence, outside_event, profile, profile_change, profile_recheck, webhook,
    webhook_top, daily_table, daily_ranks, ledger_part, ledger_checkpoint, ledger_changed, ledger_detail
TO {role};
GRANT EXECUTE ON FUNCTION open_ledger_part(), forget_ledger_bound(bigint), begin_ledger_fold(integer),
    end_ledger_fold(integer) TO {role};

-- name: rights_on
-- Who may do what with the rows of the table $1, its owner apart: the role as an identifier, the right.
SELECT quote_ident(pg_get_userbyid(grantee)) AS role, privilege_type AS right
FROM pg_class, aclexplode(relacl)
WHERE pg_class.oid = to_regclass($1) AND grantee NOT IN (0, relowner)
  AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
