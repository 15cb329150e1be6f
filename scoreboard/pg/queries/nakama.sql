-- name: leaderboard
-- The order of the leaderboard $1 (0: less is better), and when its latest records expire (1970: never).
SELECT sort_order,
       (SELECT max(expiry_time) FROM leaderboard_record WHERE leaderboard_id = $1) AS expires
FROM leaderboard WHERE id = $1

-- name: summary
-- Of the records of $1 that expire at $2: how many there are, and with a subscore; and how many of $1 expire
-- earlier.
SELECT count(*) FILTER (WHERE expiry_time = $2) AS records,
       count(*) FILTER (WHERE expiry_time = $2 AND subscore <> 0) AS subscores,
       count(*) FILTER (WHERE expiry_time <> $2) AS earlier
FROM leaderboard_record WHERE leaderboard_id = $1

-- name: records
-- Best first, $3: 1 or -1 where less is better. Of equal scores the better subscore stands higher, then
-- whose record is older.
SELECT owner_id::text, score, username, nullif(metadata, '{}')::text
FROM leaderboard_record
WHERE leaderboard_id = $1 AND expiry_time = $2
ORDER BY score * $3 DESC, subscore * $3 DESC, update_time, owner_id
