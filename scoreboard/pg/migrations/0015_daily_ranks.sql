-- Ranks as they were when a day began, for what a day, a week or a season has changed. A table's day is by
-- the clock of its board's zone. Users are in pieces of a thousand by name, so that a day is some hundred
-- rows and a user is found in one of them.
-- rights: daily_table as on board
-- rights: daily_ranks as on board

ALTER TABLE board
    ADD COLUMN clock text NOT NULL
        GENERATED ALWAYS AS (coalesce(settings::jsonb ->> 'zone', 'UTC')) STORED;

CREATE TABLE daily_table (
    table_name text COLLATE "C" NOT NULL,
    starts_at  bigint NOT NULL,  -- when the day began, Unix ms, like the next two
    until      bigint NOT NULL,  -- the start of the last day up to which nothing had moved since
    moment     bigint NOT NULL,  -- the ranks are those of then: when it began, or later if taken late
    users      bigint NOT NULL,  -- how many had a rank
    PRIMARY KEY (table_name, starts_at)
);

CREATE TABLE daily_ranks (
    table_name text COLLATE "C" NOT NULL,
    starts_at  bigint NOT NULL,
    first_user text COLLATE "C" NOT NULL,
    users      text[] NOT NULL,    -- with the next two: each user's rank and total as it is kept
    ranks      bigint[] NOT NULL,
    scores     bigint[] NOT NULL,
    PRIMARY KEY (table_name, starts_at, first_user)
);

-- What is kept of the days of a board goes with it, and with its scores, whoever removes them.
CREATE FUNCTION forget_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM daily_ranks
    WHERE table_name = NEW.board OR table_name >= NEW.board || ':' AND table_name < NEW.board || ';';
    DELETE FROM daily_table
    WHERE table_name = NEW.board OR table_name >= NEW.board || ':' AND table_name < NEW.board || ';';
    RETURN NEW;
END
$$;

CREATE TRIGGER removal_forgets_days BEFORE UPDATE ON board_removal
    FOR EACH ROW WHEN (OLD.doing IS NOT NULL AND NEW.doing IS NULL)
    EXECUTE FUNCTION forget_days();
