-- Old parts of the ledger are folded into totals of each user and table, and dropped (docs/decisions/0033).
-- Nothing changes until a retention is set.
-- rights: ledger_checkpoint as on board
-- rights: ledger_changed as on board
-- rights: ledger_detail as on board
-- rights: ledger_folded as on board

-- open: its rows count. folding: they do still, while they are summed up; (done_board, done_user) is the
-- last user who was. folded: its rows in ledger_checkpoint count instead, until they are added to those of
-- part 0, and this row goes.
ALTER TABLE ledger_part
    ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'folding', 'folded')),
    ADD COLUMN done_board text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN done_user  text COLLATE "C" NOT NULL DEFAULT '';

-- What a part's actions made of a user in a table: the total by the board's operator, as it is kept (null:
-- none is left where the operator is `last`), and how many actions count; the last event of these, or the
-- one that made the total where the operator is `best`. And what later actions need: the event by which
-- the total counts as reached (for a sum: if it never changed, its first), and where the operator is `last`
-- the last event that took an action back.
CREATE TABLE ledger_checkpoint (
    part        integer NOT NULL,
    table_name  text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    total       bigint,
    actions     bigint NOT NULL,
    event_ms    bigint,
    event_seq   bigint,
    reached_ms  bigint,
    reached_seq bigint,
    changed     boolean NOT NULL,
    taken_ms    bigint,
    taken_seq   bigint,
    PRIMARY KEY (table_name, user_id, part)
);
CREATE INDEX ledger_checkpoint_part ON ledger_checkpoint (part, table_name, user_id) WHERE part > 0;

-- Users whose actions in a part changed while it was summed up.
CREATE TABLE ledger_changed (
    part    integer NOT NULL,
    board   text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (part, board, user_id)
);

-- Boards of which an action was taken back after its part had ended: the past is known from there on.
CREATE TABLE ledger_detail (
    board   text COLLATE "C" NOT NULL,
    part    integer NOT NULL,
    from_ms bigint NOT NULL,
    PRIMARY KEY (board, part)
);

-- Detail begins here (Unix ms); 0: nothing is folded.
CREATE TABLE ledger_folded (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    until_ms bigint NOT NULL DEFAULT 0
);

-- The checkpoints that count. A user of a table may have several.
CREATE VIEW folded_total AS
SELECT * FROM ledger_checkpoint AS known
WHERE part = 0 OR EXISTS (SELECT FROM ledger_part
                          WHERE ledger_part.part = known.part AND state = 'folded');

-- From when on everything of a board is known in detail (Unix ms).
CREATE FUNCTION detail_from(of_board text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(coalesce((SELECT until_ms FROM ledger_folded), 0),
                    (SELECT max(from_ms) FROM ledger_detail
                     WHERE board = of_board
                       AND (part = 0 OR part IN (SELECT part FROM ledger_part WHERE state = 'folded'))))
$$;

-- A row that is there is written again: whoever takes it waits for this transaction, and sees what it did.
CREATE FUNCTION note_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO ledger_changed VALUES (TG_ARGV[0]::integer, OLD.board, OLD.user_id)
        ON CONFLICT (part, board, user_id) DO UPDATE SET part = excluded.part;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO ledger_changed VALUES (TG_ARGV[0]::integer, NEW.board, NEW.user_id)
        ON CONFLICT (part, board, user_id) DO UPDATE SET part = excluded.part;
    END IF;
    RETURN NULL;
END
$$;

-- From now on it is noted who changes in the part. Who persists may do so, and owns no table.
CREATE FUNCTION begin_ledger_fold(of_part integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found ledger_part;
BEGIN
    SELECT * INTO STRICT found FROM ledger_part WHERE part = of_part AND state = 'open' FOR UPDATE;
    EXECUTE format('CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON %I
                    FOR EACH ROW EXECUTE FUNCTION note_ledger_change(%s)', found.relation, of_part);
    UPDATE ledger_part SET state = 'folding' WHERE part = of_part;
END
$$;

-- Drops a part that is summed up; its sums count instead. To be called with score_action locked.
CREATE FUNCTION end_ledger_fold(of_part integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found ledger_part;
BEGIN
    SELECT * INTO STRICT found FROM ledger_part WHERE part = of_part AND state = 'folding' FOR UPDATE;
    IF EXISTS (SELECT FROM ledger_changed WHERE part = of_part) THEN
        RAISE EXCEPTION 'part % of the ledger has changed', of_part;
    END IF;
    EXECUTE format('DROP TABLE %I', found.relation);
    UPDATE ledger_part SET state = 'folded' WHERE part = of_part;
    INSERT INTO ledger_folded AS known (until_ms) VALUES (found.to_ms)
    ON CONFLICT (only_row) DO UPDATE SET until_ms = greatest(known.until_ms, excluded.until_ms);
END
$$;

REVOKE EXECUTE ON FUNCTION begin_ledger_fold(integer), end_ledger_fold(integer) FROM PUBLIC;

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
        EXECUTE format('GRANT EXECUTE ON FUNCTION begin_ledger_fold(integer), end_ledger_fold(integer)
                        TO %s', given.role);
    END LOOP;
END
$$;

-- As before, and with what is folded. It takes the ledger's lock first, so that its inner statement, whose
-- snapshot is later, has each part either as rows or as sums; for that it is VOLATILE.
CREATE OR REPLACE FUNCTION ledger_totals(
    of_table text, of_users text[] DEFAULT NULL, left_out text[] DEFAULT '{}'
) RETURNS TABLE (
    user_id text, score bigint, ledger bigint, reached_at timestamptz, hidden boolean,
    ledger_ms bigint
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    of_board text := split_part(of_table, ':', 1);
    which    text := substr(of_table, length(of_board) + 2);  -- 'week:12', or '' of all time
    rule     text;
    turn     bigint;
    total    text;
    at       text := 'max(event_ms)';
    whose    text := CASE WHEN of_users IS NULL THEN '' ELSE 'AND user_id = ANY ($2)' END;
    kept     text := CASE left_out WHEN '{}' THEN '' ELSE 'AND action_id <> ALL ($4)' END;
    counts   text := CASE which WHEN '' THEN '' ELSE
        'AND ($6 = ANY (amends)
              OR EXISTS (SELECT FROM unnest(tables) AS move WHERE starts_with(move, $6 || '' '')))' END;
    folded   text := '';
BEGIN
    LOCK TABLE score_action IN ACCESS SHARE MODE;
    IF EXISTS (SELECT FROM ledger_folded WHERE until_ms > 0) THEN
        folded := 'UNION ALL SELECT user_id, total, event_ms, event_seq FROM folded_total
                   WHERE table_name = $1 AND total IS NOT NULL ' || whose;
    END IF;
    SELECT board.operator, board.sign INTO rule, turn FROM board WHERE board.board = of_board;
    turn := coalesce(turn, 1); -- a board that Postgres has lost
    CASE rule
        WHEN 'best' THEN
            total := 'max(value)';
            at := '(array_agg(event_ms ORDER BY value DESC, event_ms, event_seq))[1]';
        WHEN 'last' THEN
            total := '(array_agg(value ORDER BY event_ms DESC, event_seq DESC))[1]';
        ELSE
            total := 'sum(value)::bigint';
    END CASE;
    RETURN QUERY EXECUTE format(
        'SELECT user_id, known.score, %s, known.reached_at, coalesce(known.hidden, false),
                counted.ledger_ms
         FROM (SELECT user_id, score, reached_at, hidden FROM user_score
               WHERE board = $1 %s) AS known
         FULL JOIN (SELECT user_id, %s AS ledger, %s AS ledger_ms
                    FROM (SELECT user_id, $3 * points AS value, event_ms, event_seq FROM score_action
                          WHERE board = $5 AND status = ''accepted'' AND reverted_event_ms IS NULL
                                %s %s %s
                          %s) AS actions
                    GROUP BY user_id) AS counted USING (user_id)',
        CASE rule WHEN 'sum' THEN 'coalesce(counted.ledger, 0)' ELSE 'counted.ledger' END,
        whose, total, at, whose, kept, counts, folded
    ) USING of_table, of_users, turn, left_out, of_board, which;
END
$$;

-- What is folded of a board goes with it, and with its scores, whoever removes them.
CREATE FUNCTION forget_folded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ledger_checkpoint
    WHERE table_name = NEW.board
       OR table_name >= NEW.board || ':' AND table_name < NEW.board || ';';
    DELETE FROM ledger_detail WHERE board = NEW.board;
    RETURN NEW;
END
$$;

CREATE TRIGGER removal_forgets_folded BEFORE UPDATE ON board_removal
    FOR EACH ROW WHEN (OLD.doing IS NOT NULL AND NEW.doing IS NULL)
    EXECUTE FUNCTION forget_folded();
