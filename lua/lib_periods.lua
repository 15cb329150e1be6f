-- The occurrences of a board's periods. Needs lib_stamps, lib_top.
--
-- What a board knows of a period is a field of its meta hash, `period:<name>`: number, start, end and
-- final (from when latecomers no longer count, all in Unix ms) of the latest occurrence, then start, end
-- and final of the one before, until that one is sealed. The latest may still be to come. It changes
-- in one way only: once it has ended, the first who names a fitting next one makes that the latest.
-- So callers whose clocks, or whose data of time zones, differ can't split a period.

local function period_of(text)
  if not text then
    return nil
  end
  local n, s, e, f, ps, pe, pf = string.match(text, '^(%d+) (%d+) (%d+) (%d+) ?(%d*) ?(%d*) ?(%d*)$')
  local period = {n = tonumber(n), s = tonumber(s), e = tonumber(e), f = tonumber(f)}
  if ps ~= '' then
    period.before = {n = period.n - 1, s = tonumber(ps), e = tonumber(pe), f = tonumber(pf)}
  end
  return period
end

local function period_text(period)
  local text = integer(period.n) .. ' ' .. integer(period.s) .. ' ' .. integer(period.e) .. ' '
    .. integer(period.f)
  local before = period.before
  return before and text .. ' ' .. integer(before.s) .. ' ' .. integer(before.e) .. ' '
    .. integer(before.f) or text
end

-- What is known once a caller has named `named` (`n s e f`) at this time: as it is, or turned, when that
-- is the next one and the known one has ended; nil when the caller is mistaken. One that is sealed (final 0)
-- has no table any more, and its start is no longer known, so nothing is kept or told of it.
local function agreed(known, named, time)
  local next = period_of(named)
  if known and known.n == next.n then
    return time < known.e and known.s == next.s and known.e == next.e and known or nil
  end
  if next.n == (known and known.n + 1 or 1) and (not known or known.e <= time and known.e <= next.s)
      and next.s < next.e and time < next.e and next.e <= next.f then
    next.turned = true
    next.before = known and known.f > 0 and {n = known.n, s = known.s, e = known.e, f = known.f} or nil
    return next
  end
end

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
