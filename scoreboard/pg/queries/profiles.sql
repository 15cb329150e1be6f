-- name: put
-- $1 user, then the profile. No row when it is so already. The revision is a time, so that one made again
-- after it was deleted is newer; of two at once the later has the higher one.
INSERT INTO profile AS known
    (user_id, display_name, avatar_url, country, visibility, metadata, revision)
VALUES ($1, $2, $3, $4, $5, $6, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
ON CONFLICT (user_id) DO UPDATE
SET display_name = excluded.display_name, avatar_url = excluded.avatar_url,
    country = excluded.country, visibility = excluded.visibility, metadata = excluded.metadata,
    revision = greatest(known.revision + 1, excluded.revision), updated = now()
WHERE (known.display_name, known.avatar_url, known.country, known.visibility, known.metadata)
   IS DISTINCT FROM (excluded.display_name, excluded.avatar_url, excluded.country,
                     excluded.visibility, excluded.metadata)
RETURNING revision

-- name: add
-- Users $1 with names $2 and metadata $3, those of them who have no profile. They count as of an hour ago: boards
-- that their users come onto from now on have them from the beginning, and need not follow a change.
INSERT INTO profile (user_id, display_name, visibility, metadata, revision, updated)
SELECT user_id, display_name, 'public', metadata,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, now() - interval '1 hour'
FROM unnest($1::text[], $2::text[], $3::text[]) AS given (user_id, display_name, metadata)
ON CONFLICT DO NOTHING
RETURNING user_id

-- name: on_boards
-- Which of the users $1 are on some board, found by the keys of their rows.
SELECT given.user_id FROM unnest($1::text[]) AS given (user_id)
WHERE EXISTS (SELECT FROM board, user_score
              WHERE (user_score.board, user_score.user_id) = (board.board, given.user_id))

-- name: known
-- What is shown of users, and to whom.
SELECT user_id, revision, visibility, display_name, avatar_url, country
FROM profile WHERE user_id = ANY ($1::text[])

-- name: lock
-- The same, which nobody else changes until the transaction ends.
SELECT user_id, revision, visibility, display_name, avatar_url, country
FROM profile WHERE user_id = ANY ($1::text[]) FOR UPDATE

-- name: whole
-- Users' profiles, as they gave them.
SELECT user_id, display_name, avatar_url, country, visibility, metadata
FROM profile WHERE user_id = ANY ($1::text[])

-- name: privacy
-- Whether there is any profile, and anybody whom not all may see.
SELECT EXISTS (SELECT FROM profile), EXISTS (SELECT FROM profile WHERE visibility <> 'public')

-- name: secret
SELECT value FROM installation_secret WHERE name = 'pseudonyms'

-- name: make_secret
-- As the migration did.
INSERT INTO installation_secret
VALUES ('pseudonyms', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))
ON CONFLICT DO NOTHING
