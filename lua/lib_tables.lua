-- The tables that a call changes: the board's own, of all time, and those of occurrences that are named
-- behind the fixed KEYS and ARGV. Needs lib_lost, lib_damage, lib_stamps, lib_top.

-- `own` is the board's. Each other has five KEYS (board, hidden, meta, channel, players) and `width`
-- ARGV, among them its name (`week:12`) at `place`; `arguments` is where they begin. Those that are final
-- are left out: Redis does not have them any more. nil when one has lost a zset, or its hash holds what
-- can't be read.
local function tables_of(own, first_key, first_arg, place, width)
  local tables = {own}
  own.subject = about(arg_board)
  for i = 0, (#KEYS - first_key) / 5 - 1 do
    local k, a = first_key + 5 * i, first_arg + width * i
    if redis.call('EXISTS', KEYS[k + 3]) == 1 then
      local name = ARGV[a + place]
      local period, number = string.match(name, '^([^:]+):(%d+)$')
      tables[#tables + 1] = {name = name, arguments = a, board = KEYS[k + 1],
        hidden = KEYS[k + 2], meta = KEYS[k + 3], channel = KEYS[k + 4], players = KEYS[k + 5],
        subject = about(arg_board, period, number)}
    end
  end
  for _, one in ipairs(tables) do
    if lost(one.board, one.meta, 'top', '[]') or lost(one.hidden, one.meta, 'hidden', false)
        or illegible(one.meta) then
      return nil
    end
  end
  return tables
end

-- Moves a user with the total and its stamp between the zset of those who are shown and that of those who
-- are hidden; true when the user was in the first. `expires` is that field of the board's meta hash.
local function move_user(from, into, user, expires)
  local stamped = redis.call('ZSCORE', from, user)
  if not stamped then
    return false
  end
  redis.call('ZREM', from, user)
  redis.call('ZADD', into, double(tonumber(stamped)), user)
  if expires then
    redis.call('PEXPIREAT', into, expires) -- the zset may just have been made
  end
  return true
end

-- Notes in the table's meta hash whether anybody is hidden.
local function note_hidden(one)
  if redis.call('EXISTS', one.hidden) == 1 then
    redis.call('HSET', one.meta, 'hidden', '1')
  else
    redis.call('HDEL', one.meta, 'hidden')
  end
end

-- Tells clients of the tops that changed. `version` and `counter` are the board's fields (counter false:
-- it has had no periods). Returns the highest version of its tables.
local function announce_all(rules, tables, version, counter, ms)
  local highest = tonumber(counter or version)
  for _, one in ipairs(tables) do
    highest = announce_top(rules, one.board, one.meta, one.channel, one.subject, highest, ms)
  end
  if counter then
    redis.call('HSET', tables[1].meta, 'counter', integer(highest))
  end
  return highest
end
