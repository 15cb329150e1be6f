-- Boards over several partitions: further shards are boards of names with a dot (arena.3), which nobody outside
-- knows. What is told of them is told of their board.

CREATE OR REPLACE FUNCTION tell_of_reviews() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhook WHERE 'review.opened' = ANY (events)) THEN
        PERFORM tell_outsiders('review.opened', name, jsonb_build_object(
            'board', name, 'userId', user_id, 'actionId', action_id, 'points', points,
            'kind', kind, 'agents', to_jsonb(agents_against(attempt_id)),
            'at', moment_text(event_ms), 'review', format('/api/admin/reviews/%s', id)))
        FROM (SELECT *, split_part(board, '.', 1) AS name FROM added
              WHERE id = episode AND kind <> 'late_duplicate' ORDER BY id) AS opened;
    END IF;
    RETURN NULL;
END
$$;
