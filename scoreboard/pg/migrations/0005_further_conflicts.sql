-- A user has at most ten open conflicts on a board; further ones are counted on the newest.

ALTER TABLE review ADD COLUMN further bigint NOT NULL DEFAULT 0;
