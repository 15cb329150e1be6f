#!lua
-- remove_user: hides a user from a board, or shows a hidden one again. A hidden user's total and
-- its stamp are kept aside and go on counting.
--
-- KEYS  board, hidden, meta, channel
-- ARGV  board  the board's name, for the published text
--       user
--       hide   '1': hide, '0': show
--
-- Replies  {'!COLD'}  the board is not live under this Redis history; nothing written
--          {version}  the board's version; running it again changes nothing
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_top
local meta = live_meta(key_meta, 'version', 'expires')
if not meta then
  return {COLD}
end
local from, into = key_board, key_hidden
if arg_hide ~= '1' then
  from, into = key_hidden, key_board
end
local stamped = redis.call('ZSCORE', from, arg_user)
if not stamped then
  return {meta[2]}
end
redis.call('ZREM', from, arg_user)
redis.call('ZADD', into, double(tonumber(stamped)), arg_user)
if meta[3] then
  redis.call('PEXPIREAT', into, meta[3]) -- the zset may just have been made
end
if redis.call('EXISTS', key_hidden) == 1 then
  redis.call('HSET', key_meta, 'hidden', '1')
else
  redis.call('HDEL', key_meta, 'hidden')
end
local version = announce_top(key_board, key_meta, key_channel, arg_board, tonumber(meta[2]),
  now_ms())
return {integer(version)}
