-- Ties: earlier wins. A zset score is total + f, f = (2^41 - (ms - 2025-01-01)) / 2^42, so that its
-- floor is the total and of two equal totals the earlier is the larger. The same arithmetic stands
-- in scoreboard/domain/stamps.py. Integers become text by '%d' (check_history makes sure that it has 64
-- bits), which takes half of the time of '%.0f', doubles by '%.17g': tostring and cjson keep 14 digits only.
-- Text becomes a number by arithmetic where it is known to be one, since tonumber parses it twice.
local STAMP_EPOCH_MS = 1735689600000
local STAMP_LAST_MS = STAMP_EPOCH_MS + 2 ^ 41 -- in 2094; a later stamp would read as one point less

local function stamp(total, reached_ms)
  return total + (2 ^ 41 - (reached_ms - STAMP_EPOCH_MS)) / 2 ^ 42
end

-- The millisecond that gives exactly this stamp at this total; the fraction of a double of that size
-- is always a multiple of 2^-42.
local function reached_ms(stamped)
  return STAMP_EPOCH_MS + 2 ^ 41 - stamped % 1 * 2 ^ 42
end

local function integer(number)
  return string.format('%d', number)
end

local function double(number)
  return string.format('%.17g', number)
end

-- The server's clock. A script that writes asks for it before its first write, since it fails when
-- no stamp can hold the time.
local function now_ms()
  local time = redis.call('TIME')
  local micros = time[2] + 0
  local ms = time[1] * 1000 + (micros - micros % 1000) / 1000
  if ms < STAMP_EPOCH_MS or ms > STAMP_LAST_MS then
    error({err = 'CLOCK This server believes that it is second ' .. time[1] .. ' since 1970'})
  end
  return ms
end
