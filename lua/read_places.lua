#!lua flags=no-writes
-- read_places: where each listed user of a table stands, between whom, and who moved meanwhile.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same; moves
-- ARGV  occurrence   that of the table (`week:12`); '': the table of all time
--       known        the state in which the caller knows the table; '': none
--       since        the id behind which moves are told; '': none are
--       most         moves that are looked at, at most
--       users...
--
-- Replies  {'!COLD'}  the board is not live under this Redis history, or has lost its zset
--          {state}    it is the known one: nobody can stand elsewhere
--          {state, players, sign, style, last, looked, moves, ids, place, ...}
--                     `style` is that of ranks. `last` is the id behind which moves go on, '' where none are noted; `looked` how many were looked at,
--                     `moves` of each move in the table: user, zset score before and after; `ids` the id of each.
--                     A place for each user in order: '' for one who is not there; else {rank, rank of
--                     the one above or '', rank of the one below or '', user, zset score, ...} with
--                     the one above, the user and the one below, as far as there are any
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_table
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_ranks
local call = redis.call
local players, meta = live_table(key_board, key_meta, key_table, 'settings', 'event',
  'watched')
if not players then
  return {COLD}
end
-- Hiding a user is no event, but changes how many are there.
local state = meta[3] .. ' ' .. (call('HGET', key_table, 'version') or '') .. ' ' .. integer(players)
if state == arg_known then
  return {state}
end

local last, looked, moves, ids = meta[4] and arg_since or '', 0, {}, {}
local found = arg_since ~= ''
  and call('XREAD', 'COUNT', arg_most, 'STREAMS', key_moves, arg_since)
if found then
  local entries = found[1][2]
  looked = #entries
  last = entries[looked][1]
  for i = 1, looked do
    local values = entries[i][2]
    if values[2] == arg_occurrence then
      local n = #moves
      moves[n + 1], moves[n + 2], moves[n + 3] = values[4], values[6], values[8]
      ids[#ids + 1] = entries[i][1]
    end
  end
end

if #KEYS ~= FIXED_KEYS then
  error('read_places: the users stand in ARGV', 0)
end
local rules = rules_of(meta[2])
local replies = {state, integer(players), integer(rules.sign), rules.style, last, looked, moves,
  ids}
for a = FIXED_ARGS + USER, #ARGV do
  local above = call('ZREVRANK', key_board, ARGV[a])
  local place = ''
  if above then
    local first = math.max(0, above - 1)
    local rows = call('ZREVRANGE', key_board, first, above + 1, 'WITHSCORES')
    local own, rank, before, behind = 2 * (above - first) + 1, above + 1, above, above + 2
    if rules.style == 'standard' then
      rank = rank_of(rules, key_board, ARGV[a])
      before = above > 0 and rank_of(rules, key_board, rows[1])
      if rows[own + 3] and math.floor(rows[own + 3]) == math.floor(rows[own + 1]) then
        behind = rank
      end
    end
    place = {integer(rank), above > 0 and integer(before) or '',
      rows[own + 2] and integer(behind) or '', unpack(rows)}
  end
  replies[#replies + 1] = place
end
return replies
