-- Webhooks. A row of outside_event is now an event that one webhook is to be told of, from its being
-- recorded, in the transaction of what it tells, until it was delivered and for some time after. An event
-- that no webhook wants leaves no row.
-- rights: webhook as on board
-- rights: webhook_top as on board

CREATE TABLE webhook (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url           text NOT NULL,
    events        text[] NOT NULL,
    boards        text[] COLLATE "C",  -- null: all
    pace          integer NOT NULL,    -- least seconds between two top.changed of a board
    description   text NOT NULL,
    secret        text NOT NULL,
    former        text,                -- the secret before, which signs too until former_until
    former_until  timestamptz,
    failing_since timestamptz,         -- null while its receiver takes what comes
    failure       text,
    created       timestamptz NOT NULL DEFAULT now()
);

-- What the webhook was told last of the top of a board that it watches.
CREATE TABLE webhook_top (
    webhook bigint NOT NULL,
    board   text COLLATE "C" NOT NULL,
    looked  timestamptz NOT NULL DEFAULT '-infinity',
    seen    text,  -- what the board's row said then
    top     text,
    PRIMARY KEY (webhook, board)
);

-- Nobody could be told until now.
DELETE FROM outside_event;

ALTER TABLE outside_event
    ALTER COLUMN board DROP NOT NULL,
    ALTER COLUMN body DROP NOT NULL,  -- it goes when it was delivered
    ADD COLUMN webhook  bigint NOT NULL,  -- no reference: recording an event waits for nobody
    ADD COLUMN message  text NOT NULL DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),
    ADD COLUMN state    text NOT NULL DEFAULT 'waiting'
                        CHECK (state IN ('waiting', 'delivered', 'dead')),
    ADD COLUMN since    timestamptz NOT NULL DEFAULT now(),  -- a day of attempts begins
    ADD COLUMN due      timestamptz NOT NULL DEFAULT now(),  -- of the next attempt
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN failure  text,
    ADD COLUMN ended    timestamptz;

CREATE INDEX outside_event_due ON outside_event (webhook, due) WHERE state = 'waiting';
CREATE INDEX outside_event_webhook ON outside_event (webhook, id);

-- A process of an earlier version records the end of an occurrence by itself, for nobody.
CREATE FUNCTION leave_out_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END
$$;

CREATE TRIGGER event_is_for_a_webhook BEFORE INSERT ON outside_event
    FOR EACH ROW WHEN (NEW.webhook IS NULL) EXECUTE FUNCTION leave_out_event();

-- Records an event for each webhook that wants it. Those about no board (null) go to all that want
-- events of the kind.
CREATE FUNCTION tell_outsiders(of_kind text, of_board text, about jsonb) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO outside_event (webhook, kind, board, body)
    SELECT id, of_kind, of_board, about
    FROM webhook
    WHERE of_kind = ANY (events)
      AND (boards IS NULL OR of_board IS NULL OR of_board = ANY (boards))
$$;

-- The text of a moment in Unix ms.
CREATE FUNCTION moment_text(ms bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(to_timestamp(ms / 1000::double precision) AT TIME ZONE 'UTC',
                   'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- The first users of a final table, as outsiders are told them, in the order in which readers see them.
CREATE FUNCTION final_top(of_table text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    WITH rules AS (
        SELECT sign, coalesce((settings::jsonb ->> 'topSize')::integer, 10) AS size
        FROM board WHERE board = split_part(of_table, ':', 1)
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('userId', user_id, 'score', score * sign,
                                                 'rank', rank) ORDER BY place), '[]')
    FROM user_score, rules WHERE user_score.board = of_table AND place <= size
$$;

CREATE FUNCTION tell_of_closing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhook WHERE 'occurrence.closed' = ANY (events)) THEN
        PERFORM tell_outsiders('occurrence.closed', NEW.board, jsonb_build_object(
            'board', NEW.board, 'period', NEW.period, 'occurrence', NEW.occurrence,
            'startsAt', moment_text(NEW.starts_at), 'endsAt', moment_text(NEW.ends_at),
            'users', NEW.users, 'topScores', final_top(NEW.table_name),
            'standings', format('/api/boards/%s/standings?period=%s&occurrence=%s',
                                NEW.board, NEW.period, NEW.occurrence)));
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_of_closing AFTER UPDATE OF state ON period_occurrence
    FOR EACH ROW WHEN (OLD.state <> 'final' AND NEW.state = 'final')
    EXECUTE FUNCTION tell_of_closing();

-- A case is told once, and so is an episode; what is settled without a person is none.
CREATE FUNCTION tell_of_reviews() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhook WHERE 'review.opened' = ANY (events)) THEN
        PERFORM tell_outsiders('review.opened', board, jsonb_build_object(
            'board', board, 'userId', user_id, 'actionId', action_id, 'points', points,
            'kind', kind, 'agents', to_jsonb(agents_against(attempt_id)),
            'at', moment_text(event_ms), 'review', format('/api/admin/reviews/%s', id)))
        FROM (SELECT * FROM added WHERE id = episode AND kind <> 'late_duplicate' ORDER BY id) AS opened;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_of_reviews AFTER INSERT ON review
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tell_of_reviews();

-- Takes a player out of what waits to be told; what tells that the player was erased stays.
CREATE FUNCTION forget_in_events(of_user text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone    bigint;
    changed bigint;
BEGIN
    UPDATE webhook_top SET top = NULL, seen = NULL
    WHERE top::jsonb @> jsonb_build_array(jsonb_build_object('userId', of_user));
    DELETE FROM outside_event
    WHERE kind = 'review.opened' AND body ->> 'userId' = of_user;
    GET DIAGNOSTICS gone = ROW_COUNT;
    UPDATE outside_event
    SET body = jsonb_set(body, '{topScores}', (
        SELECT coalesce(jsonb_agg(entry ORDER BY place), '[]')
        FROM jsonb_array_elements(body -> 'topScores') WITH ORDINALITY AS top (entry, place)
        WHERE entry ->> 'userId' <> of_user))
    WHERE body -> 'topScores' @> jsonb_build_array(jsonb_build_object('userId', of_user));
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN gone + changed;
END
$$;
