#!lua flags=no-writes
-- read_page: up to `limit` users in order of rank, from a place on.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  from     what `at` is: 'rank': the first user's; 'score': the page begins with the first user
--                who has it or stands below; 'behind': it begins behind all who have that score
--                (where they share a rank: as 'score'); 'after': a zset score, and the page begins
--                behind the place that `user` has with it
--       at
--       user     '' unless `from` is 'after'
--       limit    0: no users, only their number
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or has lost its zset
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
local rules = rules_of(meta[2])
local above
if arg_from == 'rank' then
  above = math.min(tonumber(arg_at) - 1, players)
elseif arg_from == 'score' or arg_from == 'behind' then
  -- Who shares a rank does not stand behind the others who have the score.
  local score, shares = turned(rules, tonumber(arg_at)), rules.style == 'standard'
  local bound = (arg_from == 'score' or shares) and score + 1 or score
  above = count_above(key_board, players, integer(bound), '')
else
  above = count_above(key_board, players, arg_at, arg_user)
end
return part_of(rules, key_board, players, above, tonumber(arg_limit))
