-- Users who joined a board before they played. Who has counted is in without.

CREATE TABLE board_join (
    board     text COLLATE "C" NOT NULL,
    user_id   text COLLATE "C" NOT NULL,
    event_ms  bigint NOT NULL,
    event_seq bigint NOT NULL,
    PRIMARY KEY (board, user_id)
);

-- Who may read, write and delete boards may do so here, without new grants.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT grantee::regrole AS role, privilege_type AS privilege
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'board'::regclass AND grantee NOT IN (0, relowner)
          AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE format('GRANT %s ON board_join TO %s', given.privilege, given.role);
    END LOOP;
END
$$;
