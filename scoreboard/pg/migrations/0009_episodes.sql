-- A user's refusals (or flagged actions) without a break of three hours are one episode, which is
-- shown and decided as one case. It has the id of its first case. What comes after a decision begins
-- another one.

ALTER TABLE review ADD COLUMN episode bigint;
UPDATE review SET episode = id;
ALTER TABLE review ALTER COLUMN episode SET NOT NULL;

CREATE INDEX review_episode ON review (episode, status, id);

CREATE FUNCTION join_episode() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    break_ms CONSTANT bigint := 3 * 3600 * 1000;
BEGIN
    NEW.episode := NEW.id;
    IF NEW.kind IN ('refused', 'flagged') THEN
        SELECT known.episode INTO NEW.episode FROM review AS known
        WHERE (known.board, known.user_id, known.kind) = (NEW.board, NEW.user_id, NEW.kind)
          AND known.status = 'open'
          AND known.event_ms BETWEEN NEW.event_ms - break_ms AND NEW.event_ms + break_ms
        ORDER BY known.id DESC LIMIT 1;
        NEW.episode := coalesce(NEW.episode, NEW.id);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER join_episode BEFORE INSERT ON review FOR EACH ROW EXECUTE FUNCTION join_episode();
