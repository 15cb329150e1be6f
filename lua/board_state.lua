#!lua flags=no-writes
-- board_state: what Redis holds of a board, live or not.
--
-- KEYS  board, hidden, meta, players; then of each occurrence that is asked about: the same
-- ARGV  none
--
-- Replies  {present epoch, epoch of the board, version, event, shown users, hidden users, lost,
--           milliseconds since 1970, periods, tables}
--          the board's epoch, version (the highest of any of its tables) and event are '' when the board
--          is cold; lost is 1 when one of its zsets is gone while its meta hash lives; periods are
--          {name, text, ...}, what it knows of those of its settings (lib_periods; '': no occurrence); tables say of each occurrence
--          asked about whether it is there and whole (1)
-- include: lib_epoch
-- include: lib_lost
-- include: lib_rules
-- include: lib_settings
local meta = redis.call('HMGET', key_meta, 'epoch', 'version', 'event', 'settings', 'counter')
local rules = rules_of(meta[4])

local function torn(board, hidden, meta_key, players)
  return lost(board, meta_key, 'top', '[]') or lost(hidden, meta_key, 'hidden', false)
    or players and lost(players, meta_key, 'players', '0')
end

local incomplete = meta[3] and torn(key_board, key_hidden, key_meta, rules.players and key_players)
local periods, tables = {}, {}
for _, period in ipairs(rules.periods or {}) do
  periods[#periods + 1], periods[#periods + 2] = period.name,
    redis.call('HGET', key_meta, 'period:' .. period.name) or ''
end
for k = 4, #KEYS - 1, 4 do
  local there = redis.call('EXISTS', KEYS[k + 3]) == 1
    and not torn(KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], rules.table_players and KEYS[k + 4])
  tables[#tables + 1] = there and 1 or 0
end
local time = redis.call('TIME')
return {current_epoch(), meta[1] or '', meta[5] or meta[2] or '', meta[3] or '',
  redis.call('ZCARD', key_board), redis.call('ZCARD', key_hidden), incomplete and 1 or 0,
  time[1] .. string.format('%03d', math.floor(tonumber(time[2]) / 1000)), periods, tables}
