-- Players who are erased, or made anonymous. The row of a job names the player until it is done; what is
-- left then is a digest, by which late events are known.
-- rights: erasure as on board
-- rights: erased_player as on board

CREATE TABLE erasure (
    id      text COLLATE "C" PRIMARY KEY,
    mode    text NOT NULL CHECK (mode IN ('erase', 'anonymise')),
    asked   timestamptz NOT NULL DEFAULT now(),
    done    timestamptz,
    counts  jsonb NOT NULL DEFAULT '{}', -- of each place, how much of the player went
    -- Until it is done:
    user_id text COLLATE "C",
    salt    text,                        -- pseudonyms follow from it
    boards  text[] NOT NULL DEFAULT '{}' -- all is done of these
);

CREATE UNIQUE INDEX erasure_running ON erasure (user_id) WHERE done IS NULL;

CREATE TABLE erased_player (
    digest   bytea PRIMARY KEY,             -- of the id, by the key 'erasures' of installation_secret
    closed   boolean NOT NULL,              -- whatever comes is left out
    boards   text[] NOT NULL DEFAULT '{}',  -- until then: what comes to these
    admitted bigint,                        -- since then (Redis's clock, Unix ms) the id is a new player's
    epoch    text NOT NULL DEFAULT '',      -- a history of Redis in which nothing of the player is left
    changed  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX erased_player_changed ON erased_player (changed);
CREATE INDEX erased_player_epoch ON erased_player (epoch);

-- What Redis has of a board below this version lacks an erasure, and is loaded anew as a whole.
ALTER TABLE board ADD COLUMN whole_below bigint NOT NULL DEFAULT 0;

INSERT INTO installation_secret
VALUES ('erasures', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
