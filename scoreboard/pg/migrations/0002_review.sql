-- What a person may have to look at, what was decided, and the models that judge.

-- refused: an agent objected and the score did not count; flagged: it objected and the score
-- counted; conflict: the action again with other points; late_duplicate: the action again after
-- its receipt had expired, which is taken back and settled without a person.
CREATE TABLE review (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt_id  text COLLATE "C" NOT NULL UNIQUE,
    kind        text NOT NULL CHECK (kind IN ('refused', 'flagged', 'conflict', 'late_duplicate')),
    status      text NOT NULL DEFAULT 'open'
                CHECK (status IN ('open', 'approved', 'confirmed', 'settled')),
    board       text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    action_id   text COLLATE "C" NOT NULL,
    points      bigint NOT NULL,
    event_ms    bigint NOT NULL,
    event_seq   bigint NOT NULL,
    occurred_at timestamptz,
    context     jsonb,
    findings    jsonb NOT NULL DEFAULT '[]',
    created     timestamptz NOT NULL DEFAULT now(),
    decided_at  timestamptz,
    decided_by  text,
    reason      text
);

CREATE INDEX review_queue ON review (status, board, id DESC);
CREATE INDEX review_user ON review (board, user_id, id DESC);

-- Every decision of an administrator: who, when, why.
CREATE TABLE admin_audit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL,
    decision  text NOT NULL,
    board     text COLLATE "C",
    user_id   text COLLATE "C",
    action_id text COLLATE "C",
    review_id bigint REFERENCES review,
    reason    text NOT NULL DEFAULT '',
    details   jsonb NOT NULL DEFAULT '{}'
);

-- A trained model: plain arrays and numbers, never code. It judges one board, or with '' all that
-- have none of their own; of each at most one is active.
CREATE TABLE anomaly_model (
    version          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    board            text COLLATE "C" NOT NULL DEFAULT '',
    created          timestamptz NOT NULL DEFAULT now(),
    active           boolean NOT NULL DEFAULT false,
    trained_from     timestamptz,
    trained_to       timestamptz,
    false_alarm_rate double precision NOT NULL,
    quality          jsonb NOT NULL DEFAULT '{}',
    content          bytea NOT NULL
);

CREATE UNIQUE INDEX anomaly_model_active ON anomaly_model (board) WHERE active;

-- The agents that objected to an attempt, in the order of their findings.
CREATE FUNCTION agents_against(attempt text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array(
        SELECT finding ->> 'agent'
        FROM review, jsonb_array_elements(findings) WITH ORDINALITY AS found (finding, place)
        WHERE attempt_id = attempt
        GROUP BY finding ->> 'agent'
        ORDER BY min(place)
    )
$$;

-- Actions as their receipts have them: what was kept (accepted, refused, reverted), the latest
-- event, and for a refusal the agents.
CREATE VIEW kept_action AS
SELECT board, user_id, action_id,
       CASE WHEN reverted_event_ms IS NOT NULL THEN 'V'
            WHEN status = 'accepted' THEN 'A' ELSE 'R' END AS kept,
       points, score, attempt_id,
       coalesce(reverted_event_ms, event_ms) AS latest_ms,
       coalesce(reverted_event_seq, event_seq) AS latest_seq,
       CASE WHEN status = 'refused' THEN agents_against(attempt_id) END AS agents,
       event_ms, event_seq, reverted_event_ms, reverted_event_seq
FROM score_action;
