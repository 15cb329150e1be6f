-- A profile may change while a transaction is open that brings its user onto a board: neither sees the
-- other. So it is looked again, once all have ended that might not have seen the profile.
-- rights: profile_recheck as on profile_change

CREATE TABLE profile_recheck (
    user_id text COLLATE "C" NOT NULL,
    asked   timestamptz NOT NULL DEFAULT clock_timestamp(),
    listing boolean NOT NULL, -- as in profile_change
    boards  text[] NOT NULL,  -- those that were seen
    beyond  xid8,             -- transactions from here on see the profile; NULL: not known yet
    PRIMARY KEY (user_id, asked)
);
