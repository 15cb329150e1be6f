-- Finds what a board's meta hash holds that no script can have written, as after an HSET by hand. Needs
-- lib_settings.

-- A version, a clock or a time: a whole number that doubles hold. nil for any other text.
local function whole_in(text)
  return text and #text < 16 and string.find(text, '^%d+$') and tonumber(text) or nil
end

local function is_id(text)
  local ms = text and string.match(text, '^(%d+)%-%d+$')
  return ms and #ms < 16
end

local function is_cut(text)
  local cut = tonumber(text)
  return cut and cut == cut
end

local function is_top(text)
  local fine, top = pcall(cjson.decode, text)
  if not fine or type(top) ~= 'table' or string.sub(text, 1, 1) ~= '[' then
    return false
  end
  for _, entry in ipairs(top) do
    if type(entry) ~= 'table' or type(entry.userId) ~= 'string' or type(entry.score) ~= 'number' then
      return false
    end
  end
  return true
end

-- The fields of meta (lua/README.md) in which numbers or JSON stand.
local LEGIBLE = {version = whole_in, clock = whole_in, expires = whole_in, watched = whole_in,
  counter = whole_in, event = is_id, taken = is_id, cut = is_cut, top = is_top}

-- The first field of the hash that can't be read; nil when there is none.
local function illegible(meta_key)
  for field, legible in pairs(LEGIBLE) do
    local text = redis.call('HGET', meta_key, field)
    if text and not legible(text) then
      return field
    end
  end
end

-- What the text of the settings says of totals (lib_settings); nil when it can't be read.
local function legible_rules(text)
  local fine, rules = pcall(rules_of, text)
  if not fine or type(rules.top) ~= 'number' then
    return nil
  end
  if rules.periods and type(rules.periods) ~= 'table' then
    return nil
  end
  for _, period in ipairs(rules.periods or {}) do
    if type(period) ~= 'table' or type(period.name) ~= 'string' then
      return nil
    end
  end
  return rules
end

-- The text of a period (lib_periods), which may be absent.
local function is_period(text)
  return not text or string.find(text, '^%d+ %d+ %d+ %d+$')
    or string.find(text, '^%d+ %d+ %d+ %d+ %d+ %d+ %d+$')
end
