#!lua flags=no-writes
-- read_part: what a shard of a board adds to a read of the whole: how many of its users stand above a spot, and
-- who stands around it.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  at       a zset score, and the spot is right behind the place that `user` has with it, wherever
--                the user stands now; behind all who have it when the name is ''
--       user
--       before   of the users above the spot, how many are told
--       behind   of those behind it
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or has lost its zset
--          {version, players, above, {user, zset score, ...}}
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_table
-- include: lib_stamps
-- include: lib_rules
-- include: lib_ranks
-- include: lib_pages
local players = live_table(key_board, key_meta, key_table)
local version = players and redis.call('HGET', key_table, 'version')
if not version then
  return {COLD}
end
local above = arg_at == 'inf' and 0 or count_above(key_board, players, arg_at, arg_user)
local first, last = math.max(0, above - tonumber(arg_before)), above + tonumber(arg_behind) - 1
return {version, integer(players), integer(above),
  last >= first and redis.call('ZREVRANGE', key_board, first, last, 'WITHSCORES') or {}}
