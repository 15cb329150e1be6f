#!lua flags=no-writes
-- board_state: what Redis holds of a board, live or not.
--
-- KEYS  board, hidden, meta, players; then of each occurrence that is asked about: the same
-- ARGV  none
--
-- Replies  {present epoch, epoch of the board, version, event, shown users, hidden users, lost,
--           milliseconds since 1970, periods, tables}
--          the board's epoch, version (the highest of any of its tables) and event are '' when the board
--          is cold, or they can't be read; lost is 1 when one of its zsets is gone while its meta hash lives,
--          and '<key> <field>' where that hash holds what can't be read; periods are {name, text, ...},
--          what it knows of those of its settings (lib_periods; '': no occurrence); tables say of each
--          occurrence that is asked about whether it is there and whole (1) or not (0), or '<key> <field>'
-- include: lib_epoch
-- include: lib_lost
-- include: lib_rules
-- include: lib_settings
-- include: lib_damage
local meta = redis.call('HMGET', key_meta, 'epoch', 'version', 'event', 'settings', 'counter')
local rules = legible_rules(meta[4])

local function torn(board, hidden, meta_key, players)
  return lost(board, meta_key, 'top', '[]') or lost(hidden, meta_key, 'hidden', false)
    or players and lost(players, meta_key, 'players', '0')
end

local periods, tables, bad = {}, {}, not rules and 'settings' or illegible(key_meta)
rules = rules or {}
for _, period in ipairs(rules.periods or {}) do
  local field = 'period:' .. period.name
  local text = redis.call('HGET', key_meta, field)
  bad = bad or not is_period(text) and field
  periods[#periods + 1], periods[#periods + 2] = period.name, text or ''
end
local incomplete = bad and key_meta .. ' ' .. bad or 0
if not bad and meta[3] and torn(key_board, key_hidden, key_meta, rules.players and key_players) then
  incomplete = 1
end
for k = 4, #KEYS - 1, 4 do
  local meta_key = KEYS[k + 3]
  local field = illegible(meta_key)
  local there = redis.call('EXISTS', meta_key) == 1
    and not torn(KEYS[k + 1], KEYS[k + 2], meta_key, rules.table_players and KEYS[k + 4])
  tables[#tables + 1] = field and meta_key .. ' ' .. field or there and 1 or 0
end
local time = redis.call('TIME')
local version = whole_in(meta[5] or meta[2])
return {current_epoch(), meta[1] or '', version and string.format('%d', version) or '',
  is_id(meta[3]) and meta[3] or '',
  redis.call('ZCARD', key_board), redis.call('ZCARD', key_hidden), incomplete,
  time[1] .. string.format('%03d', math.floor(tonumber(time[2]) / 1000)), periods, tables}
