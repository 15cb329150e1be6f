-- The top 10, or as many as the board's rules say, and its announcement. Needs lib_stamps, lib_rules.

-- Days since 1970 to a calendar date, by the Gregorian cycle of 400 years (146,097 days).
local function rfc3339(ms)
  local days = math.floor(ms / 86400000)
  local rest = ms - days * 86400000
  local shifted = days + 719468
  local era = math.floor(shifted / 146097)
  local day_of_era = shifted - era * 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460)
    + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4)
    - math.floor(year_of_era / 100))
  local month = math.floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - math.floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day,
    math.floor(rest / 3600000), math.floor(rest / 60000) % 60, math.floor(rest / 1000) % 60,
    rest % 1000)
end

-- The ready JSON array of the top 10, and the cut: the zset score of the 10th as text, '-inf'
-- while there are fewer. A score below the cut can't change the top 10.
local function read_top(rules, board_key)
  local rows = redis.call('ZREVRANGE', board_key, 0, rules.top - 1, 'WITHSCORES')
  local entries = {}
  for i = 1, #rows, 2 do
    entries[#entries + 1] = '{"userId":' .. cjson.encode(rows[i])
      .. ',"score":' .. integer(turned(rules, math.floor(tonumber(rows[i + 1])))) .. '}'
  end
  local cut = #entries == rules.top and double(tonumber(rows[#rows])) or '-inf'
  return '[' .. table.concat(entries, ',') .. ']', cut
end

-- What a message says of its table: the board, and of an occurrence's table (period not nil) which.
local function about(board, period, number)
  local text = '"board":"' .. board .. '"'
  return period and text .. ',"period":"' .. period .. '","occurrence":' .. number or text
end

-- Compares the top 10 with the one in the table's meta hash; when it changed, stores it under the
-- next version and publishes the finished WebSocket text. `version` is the highest of any table of the
-- board. Returns what that is now.
local function announce_top(rules, table_key, meta_key, channel, subject, version, ms)
  local top, cut = read_top(rules, table_key)
  if top == redis.call('HGET', meta_key, 'top') then
    redis.call('HSET', meta_key, 'cut', cut)
    return version
  end
  version = version + 1
  redis.call('HSET', meta_key, 'version', integer(version), 'top', top, 'cut', cut)
  redis.call('PUBLISH', channel, '{"type":"update",' .. subject .. ',"version":'
    .. integer(version) .. ',"topScores":' .. top .. ',"at":"' .. rfc3339(ms) .. '"}')
  return version
end
