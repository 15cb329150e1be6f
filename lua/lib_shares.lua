-- How many of a board's users each shard may have, where the board has shards and a capacity
-- (docs/decisions/0042). Needs lib_stamps.
--
-- Two fields of a table's meta hash: `share` is what a shard has, as `term number users`; `shares` is what the
-- first shard has dealt out, as `term number:users number:users ...`, in the order of the shards. Numbers count
-- the deals of a term. What can't be read counts as absent.

-- What a shard has; of a shard that has none, no user in term 0.
local function share_in(text)
  local term, number, users = string.match(text or '', '^(%d+) (%d+) (%d+)$')
  if not term then
    return {term = 0, number = 0, users = 0}
  end
  return {term = tonumber(term), number = tonumber(number), users = tonumber(users)}
end

-- What was dealt to so many shards; nil when nothing was.
local function shares_in(text, shards)
  local term, rest = string.match(text or '', '^(%d+)([ %d:]+)$')
  local dealt = {term = tonumber(term)}
  for number, users in string.gmatch(rest or '', ' (%d+):(%d+)') do
    dealt[#dealt + 1] = {number = tonumber(number), users = tonumber(users)}
  end
  return term and #dealt == shards and dealt or nil
end

local function shares_text(dealt)
  local text = integer(dealt.term)
  for _, one in ipairs(dealt) do
    text = text .. ' ' .. integer(one.number) .. ':' .. integer(one.users)
  end
  return text
end

-- Of an occurrence that has no table here, whether it is over ('!DONE') or was not opened yet ('!PERIOD');
-- false: what the board knows of the period can't be read.
local function missing_table(meta_key, occurrence)
  local name, number = string.match(occurrence, '^([^:]+):(%d+)$')
  local period = period_of(redis.call('HGET', meta_key, 'period:' .. name))
  if period == false then
    return false
  end
  return period and period.n >= tonumber(number) and '!DONE' or '!PERIOD'
end
