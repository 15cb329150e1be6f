-- Which user ids a board takes that is made without saying so itself. The row of an installation that
-- was there before keeps `any`. One that is made from now on, by the first `migrate` or process of a
-- new installation, gets `nfc-visible`.

ALTER TABLE setup
    ADD COLUMN ids text NOT NULL DEFAULT 'any' CHECK (ids IN ('any', 'nfc-visible', 'ascii'));
ALTER TABLE setup ALTER COLUMN ids SET DEFAULT 'nfc-visible';
