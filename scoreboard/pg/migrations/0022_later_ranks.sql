-- Ranking a final table anew takes as long as it is large. A decision about a large one, or about many, does not
-- wait for that: it is noted, and a persister ranks the table a moment later. Until then who left it has no
-- place, which no reader misses, and the others keep theirs.

ALTER TABLE period_occurrence ADD COLUMN unranked bigint;  -- decisions since it was ranked last; null: none
CREATE INDEX period_occurrence_unranked ON period_occurrence (users) WHERE unranked IS NOT NULL;

-- Who is hidden has no place in a final table, from the same statement on.
CREATE FUNCTION leave_final_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.place := NULL;
    NEW.rank := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER user_score_left BEFORE UPDATE OF hidden ON user_score
    FOR EACH ROW WHEN (NEW.hidden AND NEW.place IS NOT NULL)
    EXECUTE FUNCTION leave_final_table();

-- Ranks the users of a table, one transaction at a time. Returns how many have a rank.
CREATE OR REPLACE FUNCTION rank_table(of_table text, shared boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    users bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('rank_table ' || of_table, 0));
    UPDATE user_score SET rank = NULL, place = NULL
    WHERE board = of_table AND rank IS NOT NULL AND (hidden OR score IS NULL);
    WITH due AS (
        SELECT * FROM places_of(of_table, shared)
    ), moved AS (
        UPDATE user_score AS total SET rank = due.rank, place = due.place
        FROM due
        WHERE total.board = of_table AND total.user_id = due.user_id
          AND (total.place, total.rank) IS DISTINCT FROM (due.place, due.rank)
    )
    SELECT count(*) INTO users FROM due;
    RETURN users;
END
$$;

-- What becomes of a final table after a decision: it is ranked anew, at once unless it has more than
-- `at_most` users.
CREATE FUNCTION amend_table(of_table text, at_most bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE period_occurrence SET amended = true, unranked = coalesce(unranked, 0) + 1
    WHERE table_name = of_table AND state = 'final' AND NOT pruned AND users > at_most;
    IF NOT FOUND THEN
        UPDATE period_occurrence SET amended = true, users = rank_table(of_table, shared)
        WHERE table_name = of_table AND state = 'final' AND NOT pruned;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION amend_table(of_table text) RETURNS void LANGUAGE sql AS $$
    SELECT amend_table(of_table, 10000)
$$;

-- The same of several tables, which have so many users together.
CREATE FUNCTION amend_tables(of_tables text[]) RETURNS void LANGUAGE sql AS $$
    SELECT amend_table(table_name, CASE WHEN together <= 10000 THEN 10000 ELSE 0 END)
    FROM (SELECT table_name, sum(users) OVER (ORDER BY users, table_name) AS together
          FROM period_occurrence WHERE table_name = ANY (of_tables)) AS sized
$$;

-- As before, but who has no total left leaves a final table.
CREATE OR REPLACE FUNCTION correct_table(of_table text, of_users text[] DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    of_board text := split_part(of_table, ':', 1);
    rule     text := (SELECT operator FROM board WHERE board = of_board);
    changed  bigint;
BEGIN
    INSERT INTO user_score AS total
        (board, user_id, score, reached_at, last_event_ms, last_event_seq, hidden)
    SELECT of_table, user_id, ledger, to_timestamp(coalesce(ledger_ms, 0) / 1000::double precision),
           coalesce(ledger_ms, 0), 0,
           EXISTS (SELECT FROM user_score AS own
                   WHERE own.board = of_board AND own.user_id = found.user_id AND own.hidden)
    FROM ledger_totals(of_table, of_users) AS found
    WHERE score IS DISTINCT FROM ledger
    ORDER BY user_id
    ON CONFLICT (board, user_id) DO UPDATE
    SET score = excluded.score, updated = now(),
        reached_at = CASE rule WHEN 'sum' THEN total.reached_at ELSE excluded.reached_at END,
        place = CASE WHEN excluded.score IS NULL THEN NULL ELSE total.place END,
        rank = CASE WHEN excluded.score IS NULL THEN NULL ELSE total.rank END;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed > 0 AND of_table <> of_board THEN
        PERFORM amend_table(of_table);
    END IF;
    RETURN changed;
END
$$;

-- As before, of a table in which some places may be empty.
CREATE OR REPLACE FUNCTION users_above(
    of_table text, users bigint, of_score bigint, first timestamptz, last timestamptz, of_user text
) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    bigint := 0;
    high   bigint := users;
    middle bigint;
    at     bigint;
    behind boolean;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT place, score < of_score OR score = of_score
               AND (reached_at > last OR reached_at >= first AND user_id < of_user)
        INTO at, behind FROM user_score
        WHERE board = of_table AND place > low AND place <= middle ORDER BY place DESC LIMIT 1;
        IF behind THEN
            high := at - 1;
        ELSE
            low := middle;  -- also when all of these places are empty
        END IF;
    END LOOP;
    RETURN low;
END
$$;
