#!lua flags=no-writes
-- read_user: users' scores and ranks, the user directly above each, and what the tenth has.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  users...
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or has lost its zset
--          a list with, for each user in order:
--          {players}   the user is not on the board
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
if #KEYS ~= FIXED_KEYS then
  error('read_user: the users stand in ARGV', 0)
end
local tenth = redis.call('ZREVRANGE', key_board, 9, 9, 'WITHSCORES')[2] or ''
local rules, replies = rules_of(meta[2]), {}
for a = FIXED_ARGS + USER, #ARGV do
  local above = redis.call('ZREVRANK', key_board, ARGV[a])
  local reply = {players}
  if above then
    local first = math.max(0, above - 1)
    reply = part_of(rules, key_board, players, first, above - first + 1)
    reply[6] = tenth
  end
  replies[#replies + 1] = reply
end
return replies
