-- Boards with other rules than a sum: what an action does to a total (operator), and whether less is
-- better (order). Where it is, totals are kept negated: in user_score, in score_action.score and in
-- score_action.previous, so that one order and one index serve all boards.

ALTER TABLE board
    ADD COLUMN operator text NOT NULL
        GENERATED ALWAYS AS (coalesce(settings::jsonb ->> 'operator', 'sum')) STORED,
    ADD COLUMN sign smallint NOT NULL
        GENERATED ALWAYS AS (CASE settings::jsonb ->> 'order' WHEN 'asc' THEN -1 ELSE 1 END) STORED;

-- Null for a user of whom no action is left where the operator is not sum: in no table, and not 0.
ALTER TABLE user_score ALTER COLUMN score DROP NOT NULL;

-- The user's total before it; kept where the operator is not sum.
ALTER TABLE score_action ADD COLUMN previous bigint;

CREATE OR REPLACE VIEW kept_action AS
SELECT board, user_id, action_id,
       CASE WHEN reverted_event_ms IS NOT NULL THEN 'V'
            WHEN status = 'accepted' THEN 'A' ELSE 'R' END AS kept,
       points, score, attempt_id,
       coalesce(reverted_event_ms, event_ms) AS latest_ms,
       coalesce(reverted_event_seq, event_seq) AS latest_seq,
       CASE WHEN status = 'refused' THEN agents_against(attempt_id) END AS agents,
       event_ms, event_seq, reverted_event_ms, reverted_event_seq, previous
FROM score_action;

-- The users of a board, or those listed, each with the total in user_score (null: no row, or none
-- left), the one that follows from the ledger's actions without those in `left_out`, and the time of
-- the event that led to that. The one place in SQL that knows what the operators do; in Lua it is
-- lib_totals.
CREATE FUNCTION ledger_totals(
    of_board text, of_users text[] DEFAULT NULL, left_out text[] DEFAULT '{}'
) RETURNS TABLE (
    user_id text, score bigint, ledger bigint, reached_at timestamptz, hidden boolean,
    ledger_ms bigint
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule  text;
    turn  bigint;
    total text;
    at    text := 'max(event_ms)';
    whose text := CASE WHEN of_users IS NULL THEN '' ELSE 'AND user_id = ANY ($2)' END;
    kept  text := CASE left_out WHEN '{}' THEN '' ELSE 'AND action_id <> ALL ($4)' END;
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
                    WHERE board = $1 AND status = ''accepted'' AND reverted_event_ms IS NULL %s %s
                    GROUP BY user_id) AS counted USING (user_id)',
        CASE rule WHEN 'sum' THEN 'coalesce(counted.ledger, 0)' ELSE 'counted.ledger' END,
        whose, total, at, whose, kept
    ) USING of_board, of_users, turn, left_out;
END
$$;
