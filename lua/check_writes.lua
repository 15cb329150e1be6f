#!lua
-- check_writes: finds out whether this server takes writes and will keep them, and writes nothing.
-- It tries the commands of the scripts on a key that never exists, on which each changes nothing, and
-- gets a key of every kind: a right that lacks amid another script would leave half of what it does. What
-- can't be tried so is left to check_rights.
--
-- KEYS  probe, board, hidden, meta, events, channel, action, profile, device, rate, load,
--       moves
-- ARGV  none
--
-- Of these, events may exist, being a partition's; all others are of a board without a name.
--
-- Replies  {'!DONE'}  it does; otherwise an error that begins with the reason
--                     (redisio/refusals.py): Redis's own, READONLY, CLOCK or EVICTS
-- include: lib_epoch
-- include: lib_stamps
-- include: lib_try

try('INFO', 'server')
try('TIME')
current_epoch()
now_ms()
local policy = string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:(%S+)')
if policy ~= 'noeviction' then
  error({err = 'EVICTS maxmemory-policy is ' .. tostring(policy)})
end
try('EXISTS', key_board, key_hidden, key_meta, key_action, key_profile, key_device, key_rate, key_load,
  key_moves)
try('GET', key_probe)
try('SET', key_probe, '', 'XX')
try('MGET', key_probe)
try('DEL', key_probe)
try('UNLINK', key_probe)
try('RENAME', key_probe, key_probe)
try('PERSIST', key_probe)
try('PEXPIRE', key_probe, 1)
try('PEXPIREAT', key_probe, 1)
try('HGET', key_probe, '')
try('HMGET', key_probe, '')
try('HSET', key_probe, '', '', 'a field without a value')
try('HDEL', key_probe, '')
try('LINDEX', key_probe, 0)
try('LTRIM', key_probe, 0, 0)
try('ZADD', key_probe, 'XX', 0, '')
try('ZINCRBY', key_probe, 'not a number', '')
try('ZREM', key_probe, '')
try('ZCARD', key_probe)
try('ZSCORE', key_probe, '')
try('ZMSCORE', key_probe, '')
try('ZRANGE', key_probe, 0, 0)
try('ZREVRANGE', key_probe, 0, 0)
try('ZREVRANK', key_probe, '')
try('XINFO', 'STREAM', key_events)
try('XADD', key_probe, 'NOMKSTREAM', '*', '', '')
try('XLEN', key_probe)
try('XREAD', 'STREAMS', key_probe, '0')
try('XSETID', key_probe, '0-0')
try('XGROUP', 'CREATE', key_probe, 'probe', '0')
try('PUBLISH', key_channel, '')
return {'!DONE'}
