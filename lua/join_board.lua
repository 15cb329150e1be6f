#!lua
-- join_board: lets a user into a board that keeps count of its players, without an action; where it has
-- periods, into the latest occurrence of each, which may still be to come. Again, it changes nothing.
--
-- KEYS  meta, events, players; then those of the periods, as for submit_scores
-- ARGV  board     the board's name, for published texts
--       settings  the settings text that the caller prepared the call under
--       limits    when the board takes users, and how many (lib_limits), as settings has it
--       periods   as for submit_scores; '': it has none
--       user
--       backlog   most entries the stream may hold
--       body      the event (wire/events.Body)
--       then for each period: its name, and the occurrence that the caller believes to be the latest
--
-- Replies  {'!COLD'}            the board is not live under this Redis history, has lost its players, or what
--                               it knows of a period can't be read; nothing written
--          {'!SETTINGS', text}  the board's settings differ from the caller's; nothing written
--          {'!BACKLOG'}         the stream is full; nothing written
--          {'!PERIOD', time, name, text, ...}  as of submit_scores; nothing written
--          {'!DONE'}            the user is in, now or before, or may play without
--          {'K'}                the board has closed; nothing written
--          {'F'}                it is full, or an occurrence is; nothing written. On a board with shards
--                               {'F', table}: the shard has no room there, as of submit_scores
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_top
-- include: lib_time
-- include: lib_limits
-- include: lib_periods
-- include: lib_settings
-- include: lib_damage
-- include: lib_turns
local meta = live_meta(key_meta, 'settings', 'version', 'expires', 'counter', 'event')
if not meta or illegible(key_meta) then
  return {COLD}
end
if meta[2] ~= arg_settings then
  return {'!SETTINGS', meta[2]}
end
local limits, now = limits_in(arg_limits), now_ms()
local time = board_time(meta[6], now)

-- What keeps count of players: the board's table of all time, or the occurrences.
local tables = {}
if arg_periods == '' then
  tables[1] = {meta = key_meta, players = key_players}
elseif limits.players then
  local k, mistaken, truth = FIXED_KEYS, false, {'!PERIOD', integer(time)}
  for p = 1, #arg_periods - 1 do
    local a = FIXED_ARGS + 2 * (p - 1)
    local period = ARGV[a + PERIOD]
    local text = redis.call('HGET', key_meta, 'period:' .. period)
    local agreement = agreed(text, ARGV[a + NAMED], time)
    if agreement == false then
      return {COLD}
    end
    mistaken = mistaken or not agreement
    truth[#truth + 1], truth[#truth + 2] = period, text or ''
    tables[p] = {period = period, occurrence = agreement, meta = KEYS[k + 3], channel = KEYS[k + 4],
      players = KEYS[k + 5], turned = agreement and agreement.turned}
    k = k + (string.sub(arg_periods, p + 1, p + 1) == 'g' and 9 or 5)
  end
  if mistaken then
    return truth
  end
end

local missing, full = {}, false
for _, one in ipairs(limits.players and tables or {}) do
  if not one.turned and (not redis.call('HGET', one.meta, 'version')
      or lost(one.players, one.meta, 'players', '0')) then
    return {COLD}
  end
  if one.turned or not redis.call('ZSCORE', one.players, arg_user) then
    missing[#missing + 1] = one
    local room = room_in(limits, one.meta, one.players)
    if room and room <= 0 then
      full = full or one
    end
  end
end
if limits.players and #missing == 0 then
  return {'!DONE'}
end
limits.opens = nil -- who wants to play may join before that
local closed = closed_at(limits, time)
if closed then
  return {closed}
end
if not limits.players then
  return {'!DONE'}
end
if full and limits.shared then
  return {'F', full.period and full.period .. ':' .. integer(full.occurrence.n) or '-'}
elseif full then
  return {'F'}
end
if redis.call('XLEN', key_events) >= tonumber(arg_backlog) then
  return {'!BACKLOG'}
end
local version, moves = tonumber(meta[5] or meta[3]), {}
local before = integer(version)
for _, one in ipairs(missing) do
  if one.turned then
    local keys = {guard = key_meta, meta = one.meta, events = key_events, channel = one.channel}
    version = turn(one.occurrence, one.period, arg_board, keys, version, meta[4], now)
  end
  redis.call('ZADD', one.players, 0, arg_user)
  redis.call('HSET', one.meta, 'players', '1')
  if meta[4] then
    redis.call('PEXPIREAT', one.players, meta[4]) -- the zset may just have been made
  end
  if one.period then
    moves[#moves + 1] = one.period .. ':' .. integer(one.occurrence.n) .. ' - - -'
  end
end
local entry = {'o', 'J', 's', '', 'k', '', 'n', before, 'd', arg_body}
if #moves > 0 then
  entry[#entry + 1], entry[#entry + 2] = 'q', table.concat(moves, ';')
end
redis.call('HSET', key_meta, 'event', redis.call('XADD', key_events, '*', unpack(entry)))
return {'!DONE'}
