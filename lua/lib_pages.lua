-- Reads of a part of a table, best first. Needs lib_stamps, lib_rules, lib_ranks.

-- Whether `one` stands behind `other` when their zset scores are equal: where its bytes are less.
-- Lua's own `<` goes by the locale of the server.
local function has_lesser_name(one, other)
  for i = 1, math.min(#one, #other) do
    local mine, theirs = string.byte(one, i), string.byte(other, i)
    if mine ~= theirs then
      return mine < theirs
    end
  end
  return #one < #other
end

-- How many of the table's `players` stand above the place right behind a user of that name with that
-- zset score (as text), wherever that user stands now. Behind everybody with the zset score when the
-- name is ''.
local function count_above(table_key, players, stamped, user)
  local function first_below(bound)
    local found = redis.call('ZRANGE', table_key, bound, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1)
    return found[1] and redis.call('ZREVRANK', table_key, found[1]) or players
  end
  local low, high = first_below(stamped), first_below('(' .. stamped)
  while low < high do -- those with this very zset score, seldom more than one
    local middle = math.floor((low + high) / 2)
    if has_lesser_name(redis.call('ZREVRANGE', table_key, middle, middle)[1], user) then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

-- What a script replies of up to `count` of the table's `players`, below the first `above`:
--   {players, above, sign, shared, {user, zset score, user, zset score, ...}}
-- `shared` is the rank of the first of them where equal totals share one, else ''. The rows are as Redis
-- gives them, since to make a thousand into something else takes three times as long; Python counts
-- ranks on and turns totals.
local function part_of(rules, table_key, players, above, count)
  local rows = count > 0
    and redis.call('ZREVRANGE', table_key, above, above + count - 1, 'WITHSCORES') or {}
  local shared = rules.style == 'standard' and rows[1]
    and integer(rank_of(rules, table_key, rows[1])) or ''
  return {players, above, rules.sign, shared, rows}
end
