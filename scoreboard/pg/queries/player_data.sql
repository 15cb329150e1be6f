-- name: now
SELECT to_jsonb(now())::text

-- name: boards
-- The boards that have something of the user $1, found by the keys of their rows.
SELECT board, partition FROM board AS known
WHERE EXISTS (SELECT FROM user_score AS one WHERE (one.board, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM score_action AS one WHERE (one.board, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM review AS one WHERE (one.board, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM ledger_checkpoint AS one
              WHERE (one.table_name, one.user_id) = (known.board, $1))
   OR EXISTS (SELECT FROM board_join AS one WHERE (one.board, one.user_id) = (known.board, $1))
ORDER BY board

-- name: profile
-- The metadata as it came: jsonb can't hold U+0000.
SELECT json_build_object(
    'displayName', display_name, 'avatarUrl', avatar_url, 'country', country,
    'visibility', visibility, 'metadata', metadata::json, 'created', created, 'updated', updated)::text
FROM profile WHERE user_id = $1

-- name: totals
-- Of the user $2 in the tables of the board $1, whose names are those of the whole if it is a shard.
SELECT jsonb_build_object(
    'table', regexp_replace(name, '\.\d+', ''), 'score', score * sign, 'reachedAt', reached_at, 'rank', rank, 'hidden', hidden,
    'hiddenByModerator', moderated, 'hiddenByChoice', unlisted, 'created', total.created,
    'updated', total.updated)::text
FROM (SELECT $1::text COLLATE "C" AS name
      UNION ALL SELECT table_name FROM period_occurrence WHERE board = $1) AS known
     JOIN user_score AS total ON (total.board, total.user_id) = (name, $2)
     JOIN board ON board.board = $1
ORDER BY name

-- name: actions
SELECT jsonb_build_object(
    'actionId', action_id, 'points', points, 'status', status, 'score', score * sign,
    'previous', previous * sign, 'event', action.event_ms || '-' || action.event_seq,
    'at', to_timestamp(action.event_ms / 1000::double precision), 'occurredAt', occurred_at,
    'recordedAt', recorded_at, 'attempt', attempt_id, 'occurrences', tables,
    'reverted', reverted_event_ms || '-' || reverted_event_seq, 'revertReason', revert_reason,
    'context', context)::text
FROM score_action AS action JOIN board USING (board)
WHERE (action.board, user_id) = ($1, $2)
ORDER BY action.event_ms, action.event_seq

-- name: folded
-- What older actions came to, which are not kept one by one.
SELECT jsonb_build_object(
    'table', regexp_replace(table_name, '\.\d+', ''), 'score', total * sign, 'actions', actions,
    'until', to_timestamp(detail_from($1) / 1000::double precision))::text
FROM folded_total JOIN board ON board.board = $1
WHERE user_id = $2 AND (table_name = $1 OR table_name IN (SELECT table_name FROM period_occurrence
                                                          WHERE period_occurrence.board = $1))
ORDER BY table_name, part

-- name: cases
SELECT jsonb_build_object(
    'id', id, 'kind', kind, 'status', status, 'actionId', action_id, 'points', points,
    'occurredAt', occurred_at, 'context', context, 'findings', findings, 'further', further,
    'created', created, 'decidedAt', decided_at, 'reason', reason)::text
FROM review WHERE (board, user_id) = ($1, $2) ORDER BY id

-- name: joined
SELECT jsonb_build_object(
    'table', regexp_replace(board, '\.\d+', ''), 'at', to_timestamp(event_ms / 1000::double precision))::text
FROM board_join
WHERE user_id = $2 AND (board = $1 OR board IN (SELECT table_name FROM period_occurrence
                                                WHERE period_occurrence.board = $1))
ORDER BY board

-- name: days
SELECT jsonb_build_object(
    'table', regexp_replace(table_name, '\.\d+|:\*$', ''), 'day', to_timestamp(starts_at / 1000::double precision),
    'rank', ranks[place], 'score', scores[place] * sign)::text
FROM (SELECT near.*, array_position(near.users, $2) AS place
      FROM (SELECT DISTINCT unnest(ARRAY[$1::text, split_part($1, '.', 1)]) AS kept) AS named
           JOIN daily_table AS day ON table_name = kept
                OR table_name >= kept || ':' AND table_name < kept || ';'
           CROSS JOIN LATERAL (
          SELECT * FROM daily_ranks AS one
          WHERE (one.table_name, one.starts_at) = (day.table_name, day.starts_at)
            AND one.first_user <= $2
          ORDER BY one.first_user DESC LIMIT 1) AS near) AS holding
     JOIN board ON board.board = $1
WHERE place IS NOT NULL ORDER BY table_name, starts_at

-- name: decisions
-- Not by whom: that is another person.
SELECT jsonb_build_object(
    'at', at, 'decision', decision, 'board', board, 'actionId', action_id, 'case', review_id,
    'reason', reason, 'details', details)::text
FROM admin_audit WHERE user_id = $1 ORDER BY id

-- name: revocations
SELECT jsonb_build_object('issuedBefore', issued_before, 'until', until, 'recorded', recorded)::text
FROM revoked_token WHERE kind = 'subject' AND name = $1

-- name: events
-- What outsiders are to be told of the user.
SELECT jsonb_build_object('kind', kind, 'board', board, 'created', created, 'state', state)::text
FROM outside_event
WHERE body ->> 'userId' = $1
   OR body -> 'topScores' @> jsonb_build_array(jsonb_build_object('userId', $1::text))
ORDER BY id

-- name: dead_letters
SELECT field_names, field_values FROM dead_event
