#!lua
-- watch_board: has it noted for a while who moves on a live board, for clients that watch players of it.
--
-- KEYS  meta, moves
-- ARGV  period   how long, ms
--
-- Replies  {'!COLD'}  the board is not live under this Redis history; nothing written
--          {id}       that of an entry in moves: what is noted from now on comes behind it
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
if not live_meta(key_meta) then
  return {COLD}
end
local period = tonumber(arg_period)
local until_ms = integer(now_ms() + period)
local id = redis.call('XADD', key_moves, '*', 't', '-')
redis.call('PEXPIRE', key_moves, period)
redis.call('HSET', key_meta, 'watched', until_ms)
return {id}
