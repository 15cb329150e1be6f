-- Tokens that are refused although they have not expired: one by its jti, or all of a subject that
-- were issued before a moment. From the moment `until` on they have expired anyway.

CREATE TABLE revoked_token (
    kind          text NOT NULL CHECK (kind IN ('token', 'subject')),
    name          text COLLATE "C" NOT NULL,  -- the jti, or the subject
    issued_before timestamptz NOT NULL,
    until         timestamptz NOT NULL,
    recorded      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name)
);

CREATE INDEX revoked_token_recorded ON revoked_token (recorded);
