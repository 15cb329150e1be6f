-- How a draft becomes a table, a board's own or that of an occurrence. Needs lib_lost. The KEYS and ARGV of
-- the two scripts that include this have the same names.

-- Whether the draft, or the table that it adds to, has lost something meanwhile. `meta_key` is the table's.
local function draft_lost(meta_key)
  if redis.call('ZCARD', key_load_players) ~= tonumber(arg_players) then
    return true
  end
  if arg_swap == '1' then
    return redis.call('ZCARD', key_load) ~= tonumber(arg_shown)
      or redis.call('ZCARD', key_load_hidden) ~= tonumber(arg_concealed)
  end
  return lost(key_board, meta_key, 'top', '[]') or lost(key_hidden, meta_key, 'hidden', false)
end

local function swap(from, into)
  redis.call('UNLINK', into)
  if redis.call('EXISTS', from) == 1 then
    redis.call('RENAME', from, into)
    redis.call('PERSIST', into)
  end
end

-- A million users would block Redis for about two seconds. But more than a few users lack something
-- only when Redis came back with very old data.
local AT_A_TIME = 1000
local function merge(from, into, other)
  for first = 0, redis.call('ZCARD', from) - 1, AT_A_TIME do
    local found = redis.call('ZRANGE', from, first, first + AT_A_TIME - 1, 'WITHSCORES')
    local scored, users = {}, {}
    for i = 1, #found, 2 do
      users[#users + 1] = found[i]
      scored[i], scored[i + 1] = found[i + 1], found[i]
    end
    redis.call('ZADD', into, unpack(scored))
    redis.call('ZREM', other, unpack(users))
  end
  redis.call('UNLINK', from)
end

-- Brings the draft into the table; with `players` the table keeps count of them.
local function take_draft(meta_key, players)
  if arg_swap == '1' then
    swap(key_load, key_board)
    swap(key_load_hidden, key_hidden)
  else
    merge(key_load, key_board, key_hidden)
    merge(key_load_hidden, key_hidden, key_board)
  end
  swap(key_load_players, key_players)
  if redis.call('EXISTS', key_hidden) == 1 then
    redis.call('HSET', meta_key, 'hidden', '1')
  else
    redis.call('HDEL', meta_key, 'hidden')
  end
  redis.call('HDEL', meta_key, 'share', 'shares') -- a server that was behind may have given away what it has
  if players then
    redis.call('HSET', meta_key, 'players', redis.call('EXISTS', key_players))
  else
    redis.call('HDEL', meta_key, 'players')
  end
end
