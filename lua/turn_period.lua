#!lua
-- turn_period: opens a period's next occurrence once the latest has ended, though nobody posts.
--
-- KEYS  meta, events, channel; table: the meta hash of the next occurrence's table
-- ARGV  board    the board's name, for the published texts
--       period   its name
--       next     the next occurrence: number, start, end, final
--       backlog  most entries the stream may hold
--       follows  '1' on a board with shards: the next occurrence is what its first shard says, or what the
--                first is to know from another; otherwise ''
--
-- Replies  {'!COLD'}             the board is not live under this Redis history, or what it knows of the period
--                                can't be read; nothing written
--          {'!BACKLOG'}          the stream is full; nothing written
--          {'!PERIOD', time, text}  it is not the next one, or not yet: the board's time, Unix ms, and what it
--                                knows of the period ('' : no occurrence); nothing written
--          {'!DONE', event}      it is the latest one, now ('event') or before ('')
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_rules
-- include: lib_top
-- include: lib_time
-- include: lib_periods
-- include: lib_settings
-- include: lib_damage
-- include: lib_turns
local meta = live_meta(key_meta, 'version', 'counter', 'expires', 'period:' .. arg_period, 'event')
if not meta or illegible(key_meta) then
  return {COLD}
end
local now = now_ms()
local time = board_time(meta[6], now)
local period = agreed(meta[5], arg_next, time, arg_follows ~= '')
if period == false then
  return {COLD}
elseif not period then
  return {'!PERIOD', integer(time), meta[5] or ''}
end
if not period.turned then
  return {'!DONE', ''}
end
if redis.call('XLEN', key_events) >= tonumber(arg_backlog) then
  return {'!BACKLOG'}
end
local keys = {guard = key_meta, meta = key_table, events = key_events, channel = key_channel}
local _, event = turn(period, arg_period, arg_board, keys, tonumber(meta[3] or meta[2]), meta[4], now)
return {'!DONE', event}
