-- Boards with periods: each occurrence of each has a table of its own, beside the board's table of all
-- time. A table's name stands wherever a ranking is named: `arena` is the board's own, `arena:week:12`
-- an occurrence's. Names of boards and periods have no colon.
-- rights: period_occurrence as on board
-- rights: outside_event as on board

CREATE TABLE period_occurrence (
    board      text COLLATE "C" NOT NULL,
    period     text COLLATE "C" NOT NULL,
    occurrence bigint NOT NULL,
    table_name text COLLATE "C" NOT NULL
               GENERATED ALWAYS AS (board || ':' || period || ':' || occurrence::text) STORED,
    starts_at  bigint NOT NULL,  -- Unix ms, like the next two
    ends_at    bigint NOT NULL,
    final_at   bigint NOT NULL,  -- from when on latecomers no longer count
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'final')),
    users      bigint,           -- when final: who has a rank
    shared     boolean,          -- when final: whether equal totals share a rank
    amended    boolean NOT NULL DEFAULT false,  -- a decision changed it when it was final
    pruned     boolean NOT NULL DEFAULT false,  -- its rows in user_score are gone, or going
    emptied    boolean NOT NULL DEFAULT false,  -- they are gone
    PRIMARY KEY (board, period, occurrence)
);

CREATE UNIQUE INDEX period_occurrence_table ON period_occurrence (table_name);
CREATE INDEX period_occurrence_due ON period_occurrence (ends_at) WHERE state <> 'final';
CREATE INDEX period_occurrence_kept ON period_occurrence (board, period, occurrence)
    WHERE NOT emptied;

-- What outsiders are to be told, once each.
CREATE TABLE outside_event (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind    text NOT NULL,
    board   text COLLATE "C" NOT NULL,
    body    jsonb NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX outside_event_board ON outside_event (board, id);

-- Of a final table: the user's place in it. Null for who is hidden, or has no total any more.
ALTER TABLE user_score ADD COLUMN rank bigint;

-- What the action did in occurrences (wire/moves.py), and the occurrences that were final when a
-- moderator let it count in them.
ALTER TABLE score_action ADD COLUMN tables text[], ADD COLUMN amends text[];

-- Of a late duplicate: what it did in occurrences.
ALTER TABLE review ADD COLUMN tables text[];

CREATE OR REPLACE VIEW kept_action AS
SELECT board, user_id, action_id,
       CASE WHEN reverted_event_ms IS NOT NULL THEN 'V'
            WHEN status = 'accepted' THEN 'A' ELSE 'R' END AS kept,
       points, score, attempt_id,
       coalesce(reverted_event_ms, event_ms) AS latest_ms,
       coalesce(reverted_event_seq, event_seq) AS latest_seq,
       CASE WHEN status = 'refused' THEN agents_against(attempt_id) END AS agents,
       event_ms, event_seq, reverted_event_ms, reverted_event_seq, previous, tables
FROM score_action;

-- The pieces of wire/moves.py.
CREATE FUNCTION moves_of(tables text[])
RETURNS TABLE (occurrence text, score bigint, reached_ms bigint) LANGUAGE sql IMMUTABLE AS $$
    SELECT split_part(move, ' ', 1), nullif(split_part(move, ' ', 2), '-')::bigint,
           nullif(split_part(move, ' ', 3), '-')::bigint
    FROM unnest(tables) AS move
$$;

-- The zset score of a total: the same arithmetic as in domain/stamps.py.
CREATE FUNCTION zset_score(total bigint, reached_at timestamptz)
RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT total + (2199023255552 - least(greatest(
               (extract(epoch FROM reached_at) * 1000)::bigint - 1735689600000, 0), 2199023255552)
           ) / 4398046511104::double precision
$$;

-- The users of a table, or those listed, each with the total in user_score (null: no row, or none
-- left), the one that follows from the ledger's actions without those in `left_out`, and the time of
-- the event that led to that. The one place in SQL that knows what the operators do; in Lua it is
-- lib_totals.
DROP FUNCTION ledger_totals(text, text[], text[]);
CREATE FUNCTION ledger_totals(
    of_table text, of_users text[] DEFAULT NULL, left_out text[] DEFAULT '{}'
) RETURNS TABLE (
    user_id text, score bigint, ledger bigint, reached_at timestamptz, hidden boolean,
    ledger_ms bigint
) LANGUAGE plpgsql STABLE AS $$
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
BEGIN
    SELECT board.operator, board.sign INTO rule, turn FROM board WHERE board.board = of_board;
    turn := coalesce(turn, 1); -- a board that Postgres has lost
    CASE rule
        WHEN 'best' THEN
            total := 'max($3 * points)';
            at := '(array_agg(event_ms ORDER BY $3 * points DESC, event_ms, event_seq))[1]';
        WHEN 'last' THEN
            total := '(array_agg($3 * points ORDER BY event_ms DESC, event_seq DESC))[1]';
        ELSE
            total := 'sum($3 * points)::bigint';
    END CASE;
    RETURN QUERY EXECUTE format(
        'SELECT user_id, known.score, %s, known.reached_at, coalesce(known.hidden, false),
                counted.ledger_ms
         FROM (SELECT user_id, score, reached_at, hidden FROM user_score
               WHERE board = $1 %s) AS known
         FULL JOIN (SELECT user_id, %s AS ledger, %s AS ledger_ms FROM score_action
                    WHERE board = $5 AND status = ''accepted'' AND reverted_event_ms IS NULL
                          %s %s %s
                    GROUP BY user_id) AS counted USING (user_id)',
        CASE rule WHEN 'sum' THEN 'coalesce(counted.ledger, 0)' ELSE 'counted.ledger' END,
        whose, total, at, whose, kept, counts
    ) USING of_table, of_users, turn, left_out, of_board, which;
END
$$;

-- Ranks the users of a table in the order of their zset scores. Returns how many have a rank.
CREATE FUNCTION rank_table(of_table text, shared boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    users bigint;
BEGIN
    UPDATE user_score SET rank = NULL
    WHERE board = of_table AND rank IS NOT NULL AND (hidden OR score IS NULL);
    WITH ranked AS (
        SELECT user_id,
               CASE WHEN shared THEN rank() OVER (ORDER BY score DESC) ELSE row_number() OVER (
                   ORDER BY score DESC, zset_score(score, reached_at) DESC, user_id DESC) END AS place
        FROM user_score WHERE board = of_table AND NOT hidden AND score IS NOT NULL
    ), moved AS (
        UPDATE user_score AS total SET rank = place
        FROM ranked
        WHERE total.board = of_table AND total.user_id = ranked.user_id
          AND total.rank IS DISTINCT FROM place
    )
    SELECT count(*) INTO users FROM ranked;
    RETURN users;
END
$$;

-- Ranks a final table anew after a decision.
CREATE FUNCTION amend_table(of_table text) RETURNS void LANGUAGE sql AS $$
    UPDATE period_occurrence SET amended = true, users = rank_table(of_table, shared)
    WHERE table_name = of_table AND state = 'final' AND NOT pruned
$$;

-- Sets the totals of a table's users, or of those listed, to what follows from the ledger; users
-- without a row get one. A final table is amended by that. Returns how many totals changed.
CREATE FUNCTION correct_table(of_table text, of_users text[] DEFAULT NULL)
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
        reached_at = CASE rule WHEN 'sum' THEN total.reached_at ELSE excluded.reached_at END;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed > 0 AND of_table <> of_board THEN
        PERFORM amend_table(of_table);
    END IF;
    RETURN changed;
END
$$;

-- A process of an earlier version leaves the tables of occurrences behind when it removes a board, so
-- one that knows them has to end that.
CREATE FUNCTION respect_occurrences() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM period_occurrence WHERE board = NEW.board)
       OR EXISTS (SELECT FROM user_score
                  WHERE board >= NEW.board || ':' AND board < NEW.board || ';') THEN
        RAISE EXCEPTION 'board % has tables of occurrences left', NEW.board
            USING ERRCODE = 'lock_not_available';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER removal_is_whole BEFORE UPDATE ON board_removal
    FOR EACH ROW WHEN (OLD.doing IS NOT NULL AND NEW.doing IS NULL)
    EXECUTE FUNCTION respect_occurrences();
