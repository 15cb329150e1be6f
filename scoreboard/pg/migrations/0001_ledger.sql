-- The durable record: what happened to every action, and the totals that follow from it.
-- Identifiers compare by their bytes: the same order as Redis's, and the cheapest.

CREATE TYPE action_status AS ENUM ('accepted', 'refused');

-- The number of partitions is part of every key in Redis, so it can't change once data exists.
CREATE TABLE setup (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    partitions integer NOT NULL CHECK (partitions BETWEEN 1 AND 1024)
);

-- The highest event id committed of each partition's stream.
CREATE TABLE partition_progress (
    partition integer PRIMARY KEY,
    event_ms  bigint NOT NULL,
    event_seq bigint NOT NULL
);

CREATE TABLE board (
    board     text COLLATE "C" PRIMARY KEY,
    partition integer NOT NULL,
    settings  text NOT NULL DEFAULT '{}',  -- the exact text that submissions name
    mode      text NOT NULL GENERATED ALWAYS AS (coalesce(settings::jsonb ->> 'mode', 'off')) STORED,
    version   bigint NOT NULL DEFAULT 0,
    event_ms  bigint NOT NULL DEFAULT 0,
    event_seq bigint NOT NULL DEFAULT 0,
    created   timestamptz NOT NULL DEFAULT now(),
    updated   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_score (
    board          text COLLATE "C" NOT NULL,
    user_id        text COLLATE "C" NOT NULL,
    score          bigint NOT NULL,
    reached_at     timestamptz NOT NULL,  -- exactly the millisecond of the zset's stamp
    last_event_ms  bigint NOT NULL,
    last_event_seq bigint NOT NULL,
    hidden         boolean NOT NULL DEFAULT false,
    created        timestamptz NOT NULL DEFAULT now(),
    updated        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (board, user_id)
);

CREATE INDEX user_score_top ON user_score (board, score DESC, reached_at, user_id DESC)
    WHERE NOT hidden;
CREATE INDEX user_score_hidden ON user_score (board, user_id) WHERE hidden;

CREATE TABLE score_action (
    board              text COLLATE "C" NOT NULL,
    user_id            text COLLATE "C" NOT NULL,
    action_id          text COLLATE "C" NOT NULL,
    points             bigint NOT NULL,
    score              bigint,  -- the user's total after it; null when it was refused
    event_ms           bigint NOT NULL,
    event_seq          bigint NOT NULL,
    reverted_event_ms  bigint,
    reverted_event_seq bigint,
    occurred_at        timestamptz,
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    status             action_status NOT NULL,
    attempt_id         text COLLATE "C" NOT NULL,
    revert_reason      text,
    context            jsonb,
    PRIMARY KEY (board, user_id, action_id)
);

-- Rows arrive in the order of their events, so a few summaries find "everything since".
CREATE INDEX score_action_event ON score_action USING brin (event_ms) WITH (autosummarize = on);
CREATE INDEX score_action_reverted ON score_action (board, reverted_event_ms)
    WHERE reverted_event_ms IS NOT NULL;

-- Entries of the stream that could not be written, as they were.
CREATE TABLE dead_event (
    partition    integer NOT NULL,
    event_id     text COLLATE "C" NOT NULL,
    field_names  bytea[] NOT NULL,
    field_values bytea[] NOT NULL,
    error        text NOT NULL,
    created      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partition, event_id)
);
