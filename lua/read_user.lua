#!lua flags=no-writes
-- read_user: a user's score and rank, the user directly above, and what the tenth has.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  user
--
-- Replies  {'!COLD'}     the board is not live under this Redis history, or has lost its zset
--          {players}     the user is not on the board
--          {players, above, sign, shared, rows, tenth}   as in lib_pages; the one above, unless there is
--                        none, and the user; `tenth` is that one's zset score, '' while there are fewer
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_table
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_ranks
-- include: lib_pages
local players, meta = live_table(key_board, key_meta, key_table, 'settings')
if not players then
  return {COLD}
end
local above = redis.call('ZREVRANK', key_board, arg_user)
if not above then
  return {integer(players)}
end
local rules, first = rules_of(meta[2]), math.max(0, above - 1)
local replies = part_of(rules, key_board, players, first, above - first + 1)
replies[6] = redis.call('ZREVRANGE', key_board, 9, 9, 'WITHSCORES')[2] or ''
return replies
