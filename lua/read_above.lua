#!lua flags=no-writes
-- read_above: how many users of a shard stand above each of many spots.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  neighbours  '1': tells also which two stand directly above each spot, and who behind it; otherwise ''
--       at, user, ...   spots, as in read_part
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or has lost its zset
--          {players, above, ...}   one for each spot in order; with neighbours each is followed by
--                      {user, zset score, ...}: those, best first, as far as there are any
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_table
-- include: lib_stamps
-- include: lib_rules
-- include: lib_ranks
-- include: lib_pages
if #KEYS ~= FIXED_KEYS then
  error('read_above: the spots stand in ARGV', 0)
end
local players = live_table(key_board, key_meta, key_table)
if not players then
  return {COLD}
end
local replies, n = {integer(players)}, 1
for a = FIXED_ARGS, #ARGV - USER, USER do
  local above = count_above(key_board, players, ARGV[a + AT], ARGV[a + USER])
  n = n + 1
  replies[n] = integer(above)
  if arg_neighbours ~= '' then
    n = n + 1
    replies[n] = redis.call('ZREVRANGE', key_board, math.max(0, above - 2), above, 'WITHSCORES')
  end
end
return replies
