#!lua
-- seal_period: from then on nothing is counted in an occurrence that has ended. Its number is that of the
-- latest, or of the one before.
--
-- KEYS  meta
-- ARGV  period   its name
--       number   the occurrence's
--
-- Replies  {'!COLD'}   the board is not live under this Redis history, or what it knows of the period can't be
--                      read; nothing written
--          {'!PERIOD', time, text}  the time for latecomers is not over; nothing written
--          {'!DONE'}   nothing is counted in it any more
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_rules
-- include: lib_top
-- include: lib_time
-- include: lib_periods
local meta = live_meta(key_meta, 'period:' .. arg_period, 'event')
if not meta then
  return {COLD}
end
local time = board_time(meta[3], now_ms())
local period, number = period_of(meta[2]), tonumber(arg_number)
if period == false then
  return {COLD}
end
local before = period and period.before
local sealed = before and before.n == number and before or period and period.n == number and period
if not sealed then
  return {'!DONE'}
end
if time < sealed.f then
  return {'!PERIOD', integer(time), meta[2]}
end
if sealed == before then
  period.before = nil
else -- of a period that the board no longer has, so that nobody turns it
  period.s, period.f = period.e, 0
end
redis.call('HSET', key_meta, 'period:' .. arg_period, period_text(period))
return {'!DONE'}
