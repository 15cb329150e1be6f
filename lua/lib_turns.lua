-- How a period turns to its next occurrence. Needs lib_stamps, lib_top, lib_periods.

-- Writes that a period has turned: its new table is empty, clients are told of the end and of that.
-- Returns the highest version of the board's tables, and the event.
local function turn(period, name, board, keys, version, expires, ms)
  version = version + 1
  redis.call('HSET', keys.guard, 'period:' .. name, period_text(period), 'counter', integer(version))
  redis.call('HSET', keys.meta, 'version', integer(version), 'top', '[]', 'cut', '-inf',
    'players', '0')
  if expires then
    redis.call('PEXPIREAT', keys.meta, expires)
  end
  local n = integer(period.n)
  local event = redis.call('XADD', keys.events, '*', 'o', 'P', 's', '', 'k', '', 'n',
    integer(version - 1), 'd', '{"v":3,"b":"' .. board .. '","u":"' .. name
    .. '","a":"opened","p":0,"t":"opened","o":{"n":' .. n .. ',"s":' .. integer(period.s) .. ',"e":'
    .. integer(period.e) .. ',"f":' .. integer(period.f) .. '}}')
  redis.call('HSET', keys.guard, 'event', event)
  local before, at = period.before, '"at":"' .. rfc3339(ms) .. '"}'
  if before then
    redis.call('PUBLISH', keys.channel, '{"type":"closed",' .. about(board, name, integer(before.n))
      .. ',"startsAt":"' .. rfc3339(before.s) .. '","endsAt":"' .. rfc3339(before.e) .. '",' .. at)
  end
  redis.call('PUBLISH', keys.channel, '{"type":"update",' .. about(board, name, n) .. ',"version":'
    .. integer(version) .. ',"topScores":[],' .. at)
  return version, event
end
