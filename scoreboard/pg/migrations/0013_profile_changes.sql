-- A changed profile concerns every board that its user is on: those who show the user get a new version,
-- and who becomes hidden leaves their lists. What is left to do of that is kept here.
-- rights: profile_change as on board

CREATE TABLE profile_change (
    board   text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    asked   timestamptz NOT NULL DEFAULT clock_timestamp(),
    listing boolean NOT NULL, -- whether the user is to be on the board's lists may have changed
    PRIMARY KEY (board, user_id)
);

-- Why a user is hidden from a board and its occurrences: by a moderator, by the user's own choice, or both.
-- `hidden` follows from these, which only the row of the board itself has; in occurrences it is set alike.
ALTER TABLE user_score
    ADD COLUMN moderated boolean NOT NULL DEFAULT false,
    ADD COLUMN unlisted boolean NOT NULL DEFAULT false;
UPDATE user_score SET moderated = true WHERE hidden AND position(':' IN board) = 0;

CREATE FUNCTION hide_for_a_reason() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.moderated, NEW.unlisted) = (OLD.moderated, OLD.unlisted) AND NEW.hidden <> OLD.hidden THEN
        NEW.moderated := NEW.hidden; -- the statement of a version that knows moderators only
    END IF;
    NEW.hidden := NEW.moderated OR NEW.unlisted;
    RETURN NEW;
END
$$;

CREATE TRIGGER user_score_hidden BEFORE UPDATE OF hidden, moderated, unlisted ON user_score
    FOR EACH ROW WHEN (position(':' IN NEW.board) = 0)
    EXECUTE FUNCTION hide_for_a_reason();

-- A user's row comes a moment after the action that made it. So a profile that changed in that moment found
-- no board; and who is hidden is so on boards that come later.
CREATE FUNCTION follow_newcomers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO profile_change AS known (board, user_id, listing)
    SELECT DISTINCT split_part(added.board, ':', 1), added.user_id, profile.visibility = 'hidden'
    FROM added JOIN profile ON profile.user_id = added.user_id
    WHERE NOT added.hidden
      AND (profile.visibility = 'hidden'
           OR added.last_event_ms < (extract(epoch FROM profile.updated) * 1000)::bigint + 60000)
    ORDER BY 1, 2
    ON CONFLICT (board, user_id) DO UPDATE
    SET asked = excluded.asked, listing = known.listing OR excluded.listing;
    RETURN NULL;
END
$$;

CREATE TRIGGER user_score_added AFTER INSERT ON user_score
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION follow_newcomers();
