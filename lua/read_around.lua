#!lua flags=no-writes
-- read_around: a user and the neighbours up to `radius` places above and below.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  user, radius
--
-- Replies  {'!COLD'}     the board is not live under this Redis history, or has lost its zset
--          {players}     the user is not on the board
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
local above = redis.call('ZREVRANK', key_board, arg_user)
if not above then
  return {integer(players)}
end
local radius = tonumber(arg_radius)
local first = math.max(0, above - radius)
return part_of(rules_of(meta[2]), key_board, players, first, above + radius + 1 - first)
