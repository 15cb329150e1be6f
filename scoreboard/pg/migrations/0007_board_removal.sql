-- Boards that were deleted or cleared. The first step of a removal takes the board's row away, so that
-- nobody finds a half-removed board; what has to outlive it stands here. Rows of the board elsewhere are
-- then deleted bit by bit.

CREATE TABLE board_removal (
    board     text COLLATE "C" PRIMARY KEY,
    partition integer NOT NULL,
    doing     text CHECK (doing IN ('delete', 'clear')),  -- null: it is done
    version   bigint NOT NULL,  -- above all that clients saw; the least of a later board of this name
    event_ms  bigint NOT NULL,  -- the board's events up to this one are gone
    event_seq bigint NOT NULL,
    settings  text,             -- of a board that is cleared, which gets its row back in the end
    created   timestamptz,      -- likewise
    epoch     text NOT NULL DEFAULT '',  -- a history of Redis in which nothing of it is left
    touched   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX board_removal_doing ON board_removal (touched) WHERE doing IS NOT NULL;

-- Whoever makes a board, a process of an earlier version too, waits until the removal is done, and
-- goes on above its version.
CREATE FUNCTION respect_removal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    removal board_removal;
BEGIN
    SELECT * INTO removal FROM board_removal WHERE board = NEW.board;
    IF removal.doing IS NOT NULL THEN
        RAISE EXCEPTION 'board % is being removed', NEW.board USING ERRCODE = 'lock_not_available';
    END IF;
    NEW.version := greatest(NEW.version, removal.version);
    RETURN NEW;
END
$$;

CREATE TRIGGER board_after_removal BEFORE INSERT ON board
    FOR EACH ROW EXECUTE FUNCTION respect_removal();

-- The audit outlives the cases that it tells of.
ALTER TABLE admin_audit DROP CONSTRAINT admin_audit_review_id_fkey;

-- Who may read and write boards may do so here, without new grants.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT grantee::regrole AS role, privilege_type AS privilege
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'board'::regclass AND grantee NOT IN (0, relowner)
          AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
    LOOP
        EXECUTE format('GRANT %s ON board_removal TO %s', given.privilege, given.role);
    END LOOP;
END
$$;
