-- name: board
-- $1: the board with its last event, and the moment of this transaction. Of a board with shards it is the
-- earliest of their last events: up to that one there is all of each.
SELECT board.settings, shard.event_ms, shard.event_seq, now() AS at,
       (SELECT max(detail_from(one.board)) FROM board AS one
        WHERE one.board = $1 OR one.board > $1 || '.' AND one.board < $1 || '/') AS detail_from
FROM board JOIN board AS shard
     ON shard.board = $1 OR shard.board > $1 || '.' AND shard.board < $1 || '/'
WHERE board.board = $1
ORDER BY shard.event_ms, shard.event_seq LIMIT 1

-- name: latest
-- The number of the latest occurrence of a period that has started, or of the first.
SELECT coalesce(max(occurrence) FILTER (WHERE starts_at <= extract(epoch FROM now()) * 1000),
                min(occurrence))
FROM period_occurrence WHERE board = $1 AND period = $2

-- name: occurrence
-- $1: a table; whether equal totals share a rank, when it is final, and whether its users are gone.
SELECT shared, pruned FROM period_occurrence WHERE table_name = $1

-- name: count_standings
SELECT count(*) FROM user_score WHERE board = $1 AND NOT hidden AND score IS NOT NULL

-- name: standings
-- In exactly the order of zset scores, which can't tell all milliseconds apart.
SELECT user_id, score, reached_at FROM user_score
WHERE board = $1 AND NOT hidden AND score IS NOT NULL
ORDER BY score DESC, zset_score(score, reached_at) DESC, user_id DESC

-- name: count_actions
-- $1 board, $2 an occurrence such as week:12, or null for all.
SELECT count(*) FROM score_action
WHERE board = $1 AND ($2::text IS NULL OR $2 = ANY (amends)
    OR EXISTS (SELECT FROM unnest(tables) AS move WHERE starts_with(move, $2 || ' ')))

-- name: actions
-- The same, in the order of their events; the total after each in the table in question, as it is kept.
SELECT coalesce((extract(epoch FROM occurred_at) * 1000)::bigint, event_ms), user_id, action_id, points,
       CASE WHEN $2::text IS NULL THEN score
            ELSE (SELECT moved.score FROM moves_of(tables) AS moved WHERE occurrence = $2) END,
       CASE WHEN reverted_event_ms IS NULL THEN status::text ELSE 'reverted' END,
       event_ms || '-' || event_seq, reverted_event_ms || '-' || reverted_event_seq,
       (SELECT string_agg(split_part(move, ' ', 1), ' ') FROM unnest(tables) AS move),
       (context ->> 'latitude')::double precision, (context ->> 'longitude')::double precision,
       context ->> 'country', context ->> 'deviceId', context ->> 'userAgent', context ->> 'ip',
       context ->> 'actionType'
FROM score_action
WHERE board = $1 AND ($2::text IS NULL OR $2 = ANY (amends)
    OR EXISTS (SELECT FROM unnest(tables) AS move WHERE starts_with(move, $2 || ' ')))
ORDER BY event_ms, event_seq, user_id, action_id
