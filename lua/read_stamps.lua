#!lua flags=no-writes
-- read_stamps: the zset score of each listed user.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  users...
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or has lost its zset
--          {players, zset score, ...}   one for each user in order; '' for who is not on the board
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_table
-- include: lib_stamps
local players = live_table(key_board, key_meta, key_table)
if not players then
  return {COLD}
end
local replies, stamps = {integer(players)}, redis.call('ZMSCORE', key_board, unpack(ARGV))
for i = 1, #ARGV do
  replies[i + 1] = stamps[i] or ''
end
return replies
