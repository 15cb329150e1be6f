-- Periods of boards over several partitions: an occurrence is final in each shard by itself, and in the first one
-- last. Then it is told, once, of all of them.

-- The tables that a table is made of, in all shards of its board (arena:week:12, arena.1:week:12, ...).
CREATE FUNCTION parts_of(of_table text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(CASE shard WHEN 0 THEN of_table
                     ELSE regexp_replace(of_table, '^[^:]+', board || '.' || shard) END)
    FROM board, generate_series(0, coalesce((settings::jsonb ->> 'shards')::integer, 1) - 1) AS shard
    WHERE board = split_part(of_table, ':', 1)
$$;

-- As before, of all shards: nobody beyond the first of each can be among the first of all, and whoever has a better
-- total than one of these is there, too.
CREATE OR REPLACE FUNCTION final_top(of_table text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    WITH rules AS (
        SELECT sign, coalesce((settings::jsonb ->> 'topSize')::integer, 10) AS size,
               (SELECT shared FROM period_occurrence WHERE table_name = of_table) AS shared
        FROM board WHERE board = split_part(of_table, ':', 1)
    ), firsts AS (
        SELECT user_id, score, zset_score(score, reached_at) AS stamped
        FROM rules CROSS JOIN unnest(parts_of(of_table)) AS part
             JOIN user_score ON user_score.board = part AND place <= size
    ), placed AS (
        SELECT user_id, score, row_number() OVER (ORDER BY stamped DESC, user_id DESC) AS place,
               rank() OVER (ORDER BY score DESC) AS shared_rank
        FROM firsts
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'userId', user_id, 'score', score * sign,
        'rank', CASE WHEN shared THEN shared_rank ELSE place END) ORDER BY place), '[]')
    FROM placed, rules WHERE place <= size
$$;

CREATE OR REPLACE FUNCTION tell_of_closing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF strpos(NEW.board, '.') = 0
       AND EXISTS (SELECT FROM webhook WHERE 'occurrence.closed' = ANY (events)) THEN
        PERFORM tell_outsiders('occurrence.closed', NEW.board, jsonb_build_object(
            'board', NEW.board, 'period', NEW.period, 'occurrence', NEW.occurrence,
            'startsAt', moment_text(NEW.starts_at), 'endsAt', moment_text(NEW.ends_at),
            'users', (SELECT sum(users) FROM period_occurrence
                      WHERE table_name = ANY (parts_of(NEW.table_name))),
            'topScores', final_top(NEW.table_name),
            'standings', format('/api/boards/%s/standings?period=%s&occurrence=%s',
                                NEW.board, NEW.period, NEW.occurrence)));
    END IF;
    RETURN NULL;
END
$$;
