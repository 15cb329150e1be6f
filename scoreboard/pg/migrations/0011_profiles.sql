-- What players say of themselves, and who may see it. Scores name users by their ids as ever; names and
-- pseudonyms are put in where an answer leaves the service.
-- rights: profile as on board
-- rights: installation_secret as on setup

CREATE TABLE profile (
    user_id      text COLLATE "C" PRIMARY KEY,
    display_name text,
    avatar_url   text,
    country      text,
    visibility   text NOT NULL DEFAULT 'public'
                 CHECK (visibility IN ('public', 'anonymous', 'hidden')),
    metadata     text,            -- the JSON as it came
    revision     bigint NOT NULL, -- grows with every change, and when a user's profile is made again
    created      timestamptz NOT NULL DEFAULT now(),
    updated      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX profile_private ON profile (user_id) WHERE visibility <> 'public';

-- What only this installation knows; pseudonyms follow from it.
CREATE TABLE installation_secret (
    name  text PRIMARY KEY,
    value text NOT NULL
);

INSERT INTO installation_secret
VALUES ('pseudonyms', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
