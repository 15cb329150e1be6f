-- A user's week that has ended becomes a case once (docs/anomaly.md), whoever finds it first: the user's next
-- action, judged by a process of this version or an earlier one, or the persister's keeper of weeks.
-- rights: judged_week as on board

-- How far the keeper of weeks is with a board. A week is named by its Monday.
CREATE TABLE judged_week (
    board      text COLLATE "C" PRIMARY KEY REFERENCES board ON DELETE CASCADE,
    week       date NOT NULL,  -- all users' weeks up to this one are judged
    passing    date,           -- up to which they are being judged; null: nobody is at it
    after_user text COLLATE "C" NOT NULL DEFAULT ''  -- the last user whose weeks are
);

ALTER TABLE review ADD COLUMN week date;  -- of a weekly case: the Monday of its week

-- The Monday before the moment.
CREATE FUNCTION monday_of(ms bigint) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT date_trunc('week', to_timestamp(ms / 1000::double precision) AT TIME ZONE 'UTC')::date
$$;

-- The week in which the user played last before the action of an event: what the memory told it that was judged by a
-- process of an earlier version, which does not say. Null: nothing from before is kept.
CREATE FUNCTION week_before(of_board text, of_user text, of_ms bigint, of_seq bigint) RETURNS date
LANGUAGE sql STABLE AS $$
    WITH before AS (
        SELECT monday_of(coalesce((extract(epoch FROM occurred_at) * 1000)::bigint, event_ms)) AS week,
               (event_ms, event_seq) = (of_ms, of_seq) AS itself
        FROM score_action
        WHERE board = of_board AND user_id = of_user AND status = 'accepted'
          AND (event_ms, event_seq) <= (of_ms, of_seq)
          AND (reverted_event_ms IS NULL
               OR (reverted_event_ms, reverted_event_seq) > (of_ms, of_seq))
        ORDER BY event_ms DESC, event_seq DESC LIMIT 200
    )
    SELECT max(week) FROM before
    WHERE week < coalesce((SELECT min(week) FROM before WHERE itself), monday_of(of_ms))
$$;

-- Whether a case is about a week and nothing else.
CREATE FUNCTION is_weekly(findings jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN findings @> '[{"agent":"week"}]'
                THEN NOT EXISTS (SELECT FROM jsonb_array_elements(findings) AS found
                                 WHERE found ->> 'agent' IS DISTINCT FROM 'week')
                ELSE false END
$$;

UPDATE review SET week = week_before(board, user_id, event_ms, event_seq)
WHERE kind = 'flagged' AND findings @> '[{"agent":"week"}]'
  AND created > now() - interval '21 days'; -- no week from before is judged again

-- What is told of a week that has its case already is left out; whoever writes cases of a board holds the lock of
-- its partition.
CREATE FUNCTION case_of_week() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told date := (SELECT min((said ->> 'week')::date) FROM jsonb_array_elements(NEW.findings) AS said
                  WHERE said ->> 'agent' = 'week');
BEGIN
    told := coalesce(told, week_before(NEW.board, NEW.user_id, NEW.event_ms, NEW.event_seq));
    IF EXISTS (SELECT FROM review AS known
               WHERE (known.board, known.user_id, known.week) = (NEW.board, NEW.user_id, told)
                 AND known.attempt_id <> NEW.attempt_id) THEN
        NEW.findings := (SELECT coalesce(jsonb_agg(said ORDER BY place), '[]')
                         FROM jsonb_array_elements(NEW.findings) WITH ORDINALITY AS told_by (said, place)
                         WHERE said ->> 'agent' IS DISTINCT FROM 'week');
        IF NEW.findings = '[]' THEN
            RETURN NULL;
        END IF;
    ELSE
        NEW.week := told;
    END IF;
    RETURN NEW;
END
$$;

-- By its name it comes before join_episode.
CREATE TRIGGER case_of_week BEFORE INSERT ON review
    FOR EACH ROW WHEN (NEW.kind = 'flagged' AND NEW.findings @> '[{"agent":"week"}]')
    EXECUTE FUNCTION case_of_week();

-- As before, but a case about a week alone is decided alone: what is said of one evening says nothing of it.
CREATE OR REPLACE FUNCTION join_episode() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    break_ms CONSTANT bigint := 3 * 3600 * 1000;
BEGIN
    NEW.episode := NEW.id;
    IF NEW.kind IN ('refused', 'flagged') AND NOT is_weekly(NEW.findings) THEN
        SELECT known.episode INTO NEW.episode FROM review AS known
        WHERE (known.board, known.user_id, known.kind) = (NEW.board, NEW.user_id, NEW.kind)
          AND known.status = 'open'
          AND known.event_ms BETWEEN NEW.event_ms - break_ms AND NEW.event_ms + break_ms
          AND NOT is_weekly(known.findings)
        ORDER BY known.id DESC LIMIT 1;
        NEW.episode := coalesce(NEW.episode, NEW.id);
    END IF;
    RETURN NEW;
END
$$;
