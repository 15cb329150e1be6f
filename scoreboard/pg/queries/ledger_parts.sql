-- name: state
-- Whether the ledger has parts, the bound on the way there (null: it is not on its way), its latest event,
-- about how many actions it has, and Postgres's clock (Unix ms).
SELECT relkind = 'p' AS parted, ledger_bound() AS bound,
       (SELECT coalesce(max(event_ms), 0) FROM partition_progress) AS latest,
       greatest(reltuples, 0)::bigint AS actions,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
FROM pg_class WHERE oid = 'score_action'::regclass

-- name: bound
-- {bound} Unix ms. Nobody waits for more than a moment, here and below.
ALTER TABLE score_action ADD CONSTRAINT ledger_until_{bound} CHECK (event_ms < {bound}) NOT VALID

-- name: unbound
ALTER TABLE score_action DROP CONSTRAINT ledger_until_{bound}

-- name: validate
-- Reads the whole table; all go on meanwhile.
ALTER TABLE score_action VALIDATE CONSTRAINT ledger_until_{bound}

-- name: swap
-- Makes the table the first part of one of its name, which has the same rights and is in the view.
LOCK TABLE score_action IN ACCESS EXCLUSIVE MODE;
DO $$
DECLARE
    of_view text := pg_get_viewdef('kept_action'::regclass);
    owner   text := (SELECT relowner::regrole FROM pg_class WHERE oid = 'score_action'::regclass);
    given   record;
BEGIN
    ALTER TABLE score_action RENAME TO score_action_first;
    CREATE TABLE score_action (LIKE score_action_first INCLUDING DEFAULTS INCLUDING STORAGE)
        PARTITION BY RANGE (event_ms);
    EXECUTE format('ALTER TABLE score_action OWNER TO %s', owner);
    FOR given IN
        SELECT grantee::regrole AS role, privilege_type AS privilege
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'score_action_first'::regclass AND grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('GRANT %s ON score_action TO %s', given.privilege, given.role);
    END LOOP;
    CREATE TABLE score_action_other (LIKE score_action_first INCLUDING ALL);
    ALTER TABLE score_action_other DROP CONSTRAINT ledger_until_{bound};
    EXECUTE format('ALTER TABLE score_action_other OWNER TO %s', owner);
    FOR given IN
        SELECT grantee::regrole AS role, privilege_type AS privilege
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'score_action'::regclass AND grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('GRANT %s ON score_action_other TO %s', given.privilege, given.role);
    END LOOP;
    ALTER TABLE score_action ATTACH PARTITION score_action_first
        FOR VALUES FROM (MINVALUE) TO ({bound});
    ALTER TABLE score_action ATTACH PARTITION score_action_other DEFAULT;
    ALTER TABLE score_action_first DROP CONSTRAINT ledger_until_{bound};
    EXECUTE 'CREATE OR REPLACE VIEW kept_action AS ' || of_view;
    CREATE TRIGGER score_action_known BEFORE INSERT ON score_action
        FOR EACH ROW WHEN (current_setting('scoreboard.asks', true) IS DISTINCT FROM 'on')
        EXECUTE FUNCTION leave_out_known();
    INSERT INTO ledger_part (relation, to_ms) VALUES ('score_action_first', {bound});
    -- Versions that know nothing of parts could not serve all that follows.
    UPDATE schema_migration SET needs = greatest(needs, 18) WHERE number = 18;
END
$$

-- name: analyse
ANALYZE score_action

-- name: last
-- The end of the last part (Unix ms); no row while there are none.
SELECT to_ms FROM ledger_part ORDER BY to_ms DESC LIMIT 1

-- name: open
SELECT open_ledger_part()

-- name: forget_bound
-- $1 Unix ms. Returns the bound that was given up.
SELECT forget_ledger_bound($1)
