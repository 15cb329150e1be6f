#!lua flags=no-writes
-- read_periods: what a board knows of its periods.
--
-- KEYS  meta
-- ARGV  names of periods
--
-- Replies  {'!COLD'}  the board is not live under this Redis history
--          {time, counter, text, ...}  the board's time, Unix ms, the highest version of any of its tables,
--                     and of each period what lib_periods says; '' without an occurrence
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_time
local meta = live_meta(key_meta, 'event', 'version', 'counter')
if not meta then
  return {COLD}
end
local replies = {integer(board_time(meta[2], now_ms())),
  integer(math.max(tonumber(meta[3]) or 0, tonumber(meta[4]) or 0))}
for i = 1, #ARGV do
  replies[i + 2] = redis.call('HGET', key_meta, 'period:' .. ARGV[i]) or ''
end
return replies
