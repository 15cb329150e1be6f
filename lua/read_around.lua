#!lua flags=no-writes
-- read_around: users of a table, each with the neighbours up to `radius` places above and below.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  {user, radius}...
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or has lost its zset
--          a list with, for each user in order:
--          {players}   the user is not on the board
--          {players, above, sign, shared, rows}   as in lib_pages
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
  error('read_around: the users stand in ARGV', 0)
end
local rules, replies = rules_of(meta[2]), {}
for a = FIXED_ARGS, #ARGV - 1, RADIUS do
  local above = redis.call('ZREVRANK', key_board, ARGV[a + USER])
  if above then
    local radius = tonumber(ARGV[a + RADIUS])
    local first = math.max(0, above - radius)
    replies[#replies + 1] = part_of(rules, key_board, players, first, above + radius + 1 - first)
  else
    replies[#replies + 1] = {players}
  end
end
return replies
