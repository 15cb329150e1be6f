#!lua flags=no-writes
-- read_standings: score and rank of each listed user.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  users...
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or has lost its zset
--          {players, score, rank, ...}   a pair for each user in order; both '' when not on the
--                      board. Ranks count from 1. All are decimal texts.
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_table
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_ranks
local players, meta = live_table(key_board, key_meta, key_table, 'settings')
if not players then
  return {COLD}
end
local rules = rules_of(meta[2])
local replies = {integer(players)}
local scores = redis.call('ZMSCORE', key_board, unpack(ARGV))
for i = 1, #ARGV do
  local stamped = scores[i]
  replies[2 * i] = stamped and integer(turned(rules, math.floor(tonumber(stamped)))) or ''
  replies[2 * i + 1] = stamped and integer(rank_of(rules, key_board, ARGV[i])) or ''
end
return replies
