-- name: ids
-- Which user ids a new board takes unless it says so itself. The row of a new installation comes with its
-- first process, and a board may be made a moment before.
SELECT coalesce((SELECT ids FROM setup), 'nfc-visible')
