-- name: leaderboard
-- The order of the leaderboard $1 (0: less is better), when its latest records expire (1970: never), and whether
-- they have.
SELECT sort_order, expires, expires > 'epoch' AND expires <= now() AS expired
FROM leaderboard, (SELECT max(expiry_time) AS expires FROM leaderboard_record WHERE leaderboard_id = $1) AS latest
WHERE id = $1

-- name: summary
-- Of the records of $1 that expire at $2: how many have a score, and a subscore, and how many stand for a player who
-- has only joined; and how many of $1 expire earlier.
SELECT count(*) FILTER (WHERE expiry_time = $2 AND num_score > 0) AS records,
       count(*) FILTER (WHERE expiry_time = $2 AND subscore <> 0) AS subscores,
       count(*) FILTER (WHERE expiry_time = $2 AND num_score = 0) AS joined,
       count(*) FILTER (WHERE expiry_time <> $2) AS earlier
FROM leaderboard_record WHERE leaderboard_id = $1

-- name: records
-- Best first, $3: 1 or -1 where less is better. Of equal scores the better subscore stands higher, then
-- whose record is older. A player who has only joined has a record too, with a 0 that nobody scored.
SELECT owner_id::text, score, username, nullif(metadata, '{}')::text
FROM leaderboard_record
WHERE leaderboard_id = $1 AND expiry_time = $2 AND num_score > 0
ORDER BY score * $3 DESC, subscore * $3 DESC, update_time, owner_id
