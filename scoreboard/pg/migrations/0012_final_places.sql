-- Final tables are read by their users' places, at the same cost however large they are and wherever a
-- page begins. They are kept for ever and read by everybody, so counting users for each read, as is done
-- of a board that is not live for a moment, would cost too much.

-- Of a final table: the user's place in its order, from 1. Like rank, but nobody shares one.
ALTER TABLE user_score ADD COLUMN place bigint;
CREATE INDEX user_score_place ON user_score (board, place) WHERE place IS NOT NULL;

-- Few occurrences are open, and a board may have had very many.
CREATE INDEX period_occurrence_open ON period_occurrence (board) WHERE state <> 'final';

-- The places of a table's users in the order of their zset scores, and their ranks, which equal totals
-- share or not.
CREATE FUNCTION places_of(of_table text, shared boolean)
RETURNS TABLE (user_id text, place bigint, rank bigint) LANGUAGE sql STABLE AS $$
    SELECT user_id, place, CASE WHEN shared THEN rank() OVER (ORDER BY score DESC) ELSE place END
    FROM (SELECT user_id, score, row_number() OVER (
                     ORDER BY score DESC, zset_score(score, reached_at) DESC, user_id DESC) AS place
          FROM user_score WHERE board = of_table AND NOT hidden AND score IS NOT NULL) AS placed
$$;

-- The users of a table whose stored place or rank is not what it should be, with both ranks.
CREATE FUNCTION misplaced_in(of_table text, shared boolean)
RETURNS TABLE (user_id text, due bigint, stored bigint) LANGUAGE sql STABLE AS $$
    SELECT total.user_id, due.rank, total.rank
    FROM user_score AS total LEFT JOIN places_of(of_table, shared) AS due USING (user_id)
    WHERE total.board = of_table
      AND (total.place, total.rank) IS DISTINCT FROM (due.place, due.rank)
$$;

-- Ranks the users of a table. Returns how many have a rank.
CREATE OR REPLACE FUNCTION rank_table(of_table text, shared boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    users bigint;
BEGIN
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

-- How many of the users of a final table do not stand behind a spot: that of a user of this name with
-- this score and a stamp that says "reached from first to last". Found by halving.
CREATE FUNCTION users_above(
    of_table text, users bigint, of_score bigint, first timestamptz, last timestamptz, of_user text
) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    bigint := 0;
    high   bigint := users;
    middle bigint;
    behind boolean;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT score < of_score OR score = of_score
               AND (reached_at > last OR reached_at >= first AND user_id < of_user)
        INTO behind FROM user_score WHERE board = of_table AND place = middle;
        IF behind THEN
            high := middle - 1;
        ELSE
            low := middle;
        END IF;
    END LOOP;
    RETURN low;
END
$$;

SELECT rank_table(table_name, shared) FROM period_occurrence WHERE state = 'final' AND NOT pruned;
