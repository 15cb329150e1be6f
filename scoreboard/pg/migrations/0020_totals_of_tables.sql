-- The ledger's totals in several tables of a board at once, so that an audit reads the ledger once, however many
-- occurrences there are.

-- What makes a total of the values of a user's actions, and the event that made it, by the board's operator.
CREATE FUNCTION ledger_rule(operator text, OUT total text, OUT at text) LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE operator
               WHEN 'best' THEN 'max(value)'
               WHEN 'last' THEN '(array_agg(value ORDER BY event_ms DESC, event_seq DESC))[1]'
               ELSE 'sum(value)::bigint'
           END,
           CASE operator
               WHEN 'best' THEN '(array_agg(event_ms ORDER BY value DESC, event_ms, event_seq))[1]'
               ELSE 'max(event_ms)'
           END
$$;

-- As before, by that rule.
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
    at       text;
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
    SELECT found.total, found.at INTO total, at FROM ledger_rule(rule) AS found;
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

-- The same for all users of several tables of one board, in the order of the tables: its own has its name. Like
-- the other it takes the ledger's lock first, and is VOLATILE, so that it has each part of it once.
CREATE FUNCTION ledger_totals_of(of_board text, of_tables text[]) RETURNS TABLE (
    table_name text, user_id text, score bigint, ledger bigint, reached_at timestamptz, hidden boolean
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    rule  text;
    turn  bigint;
    total text;
BEGIN
    IF of_tables = ARRAY[of_board] THEN
        RETURN QUERY SELECT of_board, one.user_id, one.score, one.ledger, one.reached_at, one.hidden
                     FROM ledger_totals(of_board) AS one;
        RETURN;
    END IF;
    LOCK TABLE score_action IN ACCESS SHARE MODE;
    SELECT board.operator, board.sign INTO rule, turn FROM board WHERE board.board = of_board;
    SELECT found.total INTO total FROM ledger_rule(rule) AS found;
    RETURN QUERY EXECUTE format(
        'WITH listed AS (
             SELECT table_name COLLATE "C" AS table_name, place,
                    substr(table_name, length($1) + 2) AS which -- ''week:12'', or '''' of all time
             FROM unnest($2) WITH ORDINALITY AS given (table_name, place)
         ), actions AS (
             SELECT listed.table_name, user_id, $3 * points AS value, event_ms, event_seq
             FROM score_action CROSS JOIN LATERAL (
                      SELECT '''' AS which
                      UNION SELECT split_part(move, '' '', 1) FROM unnest(tables) AS move
                      UNION SELECT unnest(amends)) AS counts
                  JOIN listed USING (which)
             WHERE board = $1 AND status = ''accepted'' AND reverted_event_ms IS NULL
             UNION ALL
             SELECT table_name, user_id, total, event_ms, event_seq
             FROM folded_total JOIN listed USING (table_name)
             WHERE total IS NOT NULL
         ), counted AS (
             SELECT table_name, user_id, %s AS ledger FROM actions GROUP BY table_name, user_id
         ), known AS (
             SELECT listed.table_name, user_id, score, reached_at, hidden
             FROM user_score JOIN listed ON listed.table_name = board
         )
         SELECT table_name, user_id, known.score, %s, known.reached_at, coalesce(known.hidden, false)
         FROM known FULL JOIN counted USING (table_name, user_id) JOIN listed USING (table_name)
         ORDER BY place',
        total, CASE rule WHEN 'sum' THEN 'coalesce(counted.ledger, 0)' ELSE 'counted.ledger' END
    ) USING of_board, of_tables, coalesce(turn, 1);
END
$$;
