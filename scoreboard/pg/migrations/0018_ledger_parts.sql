-- The ledger in parts of time (docs/decisions/0033). Nothing changes until `scoreboard ledger partition`
-- makes score_action a partitioned table.
-- rights: ledger_part as on board

-- The parts of score_action, once it has any; its default part is not among them.
CREATE TABLE ledger_part (
    part     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation text COLLATE "C" NOT NULL UNIQUE,
    from_ms  bigint,                  -- of its events; null: the first part
    to_ms    bigint NOT NULL UNIQUE   -- before this
);

-- An action is known by one part only. Persisters of this version ask the others themselves, for a whole
-- batch; for one of an earlier version this does.
CREATE FUNCTION leave_out_known() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$ -- a plan that was made while a part was empty is kept
BEGIN
    IF EXISTS (SELECT FROM score_action AS known
               WHERE (known.board, known.user_id, known.action_id)
                   = (NEW.board, NEW.user_id, NEW.action_id)
                 AND known.tableoid <> TG_RELID) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

-- Opens the part behind the last one, as long as that. Who persists may do so, and owns no table. Returns
-- its name; null while the ledger is one plain table.
CREATE FUNCTION open_ledger_part() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    five_weeks CONSTANT bigint := 35 * 86400000::bigint;
    last       ledger_part;
    until_ms   bigint;
    name       text;
    given      record;
BEGIN
    LOCK TABLE ledger_part IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO last FROM ledger_part ORDER BY to_ms DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    until_ms := last.to_ms + coalesce(last.to_ms - last.from_ms, five_weeks);
    name := 'score_action_' || to_char(to_timestamp(last.to_ms / 1000) AT TIME ZONE 'UTC', 'YYYYMMDD');
    EXECUTE format('CREATE TABLE %I (LIKE score_action INCLUDING DEFAULTS INCLUDING STORAGE,
                                     PRIMARY KEY (board, user_id, action_id))', name);
    EXECUTE format('CREATE INDEX ON %I USING brin (event_ms) WITH (autosummarize = on)', name);
    EXECUTE format('CREATE INDEX ON %I (board, reverted_event_ms)
                    WHERE reverted_event_ms IS NOT NULL', name);
    FOR given IN
        SELECT grantee::regrole AS role, privilege_type AS privilege
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'score_action'::regclass AND grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('GRANT %s ON %I TO %s', given.privilege, name, given.role);
    END LOOP;
    -- What came for this time before anybody had opened it.
    EXECUTE format('WITH early AS (DELETE FROM score_action_other
                                   WHERE event_ms >= %s AND event_ms < %s RETURNING *)
                    INSERT INTO %I SELECT * FROM early', last.to_ms, until_ms, name);
    EXECUTE format('ALTER TABLE score_action ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                   name, last.to_ms, until_ms);
    INSERT INTO ledger_part (relation, from_ms, to_ms) VALUES (name, last.to_ms, until_ms);
    RETURN name;
END
$$;

-- While the table is on its way to its first part, it takes no event from this bound on (Unix ms). Null:
-- it is not on its way.
CREATE FUNCTION ledger_bound() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT substr(conname, 14)::bigint FROM pg_constraint
    WHERE conrelid = 'score_action'::regclass AND contype = 'c' AND conname ~ '^ledger_until_\d+$'
$$;

-- Gives up a way that nobody has gone to its end for so long that events come near the bound.
CREATE FUNCTION forget_ledger_bound(near_ms bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    bound bigint := ledger_bound();
BEGIN
    IF bound < near_ms AND NOT EXISTS (SELECT FROM ledger_part) THEN
        EXECUTE format('ALTER TABLE score_action DROP CONSTRAINT %I', 'ledger_until_' || bound);
        RETURN bound;
    END IF;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION open_ledger_part(), forget_ledger_bound(bigint) FROM PUBLIC;

-- Who may write the ledger may do so here, without new grants.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT grantee::regrole AS role
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'score_action'::regclass AND grantee NOT IN (0, relowner)
          AND privilege_type = 'INSERT'
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION open_ledger_part(), forget_ledger_bound(bigint)
                        TO %s', given.role);
    END LOOP;
END
$$;
