#!lua
-- submit_scores: N score actions of one board, in order, atomically and in one round trip.
--
-- KEYS   board, hidden, meta, events, channel;
--        then for each action: receipt [, rate] [, profile, device]
-- ARGV   board      the board's name, for the published text
--        settings   the settings text that the caller prepared the call under
--        count      number of actions
--        window     dedupe window, ms
--        idle       idle expiry of the board, ms; 0: never
--        backlog    most entries the stream may hold
--        min, max   the board's bounds of points
--        rate       actions a user may have accepted in rate_ms; 0: unlimited, and no rate keys
--        rate_ms    length of the rate's window, ms
--        gated      '1': each action brings the agents' verdict and two memories
--        memory     how long an idle memory is kept, ms
--        rewrite    '1': a receipt that is hit is written again, so that a durability wait on this
--                   connection covers it
--        then for each action: user, points, attempt, body
--        [, agents ('' approves), profile revision, profile, device revision, device ('': none)]
--
-- Replies  {'!COLD'}            the board is not live under this Redis history; nothing written
--          {'!SETTINGS', text}  the board's settings are others than the caller's; nothing written
--          {'!BACKLOG'}         the stream is full; nothing written
--          or one text for each action:
--          'A score rank event'  accepted (rank '-' for a hidden user)
--          'D score event'       duplicate of an action with the same points
--          'C'                   conflict: the same action with other points; recorded
--          'R agents'            refused by these agents (comma-separated), now or before
--          'B'                   points outside the board's bounds; nothing written
--          'O'                   the total would leave +-2^50; nothing written
--          'L ms'                rate limited for that many ms; nothing written
--          'S'                   a memory moved since the verdict; nothing written, judge again
--
-- A receipt always wins over a verdict. Lua does not roll back, so all reads, and with them all
-- errors of type, come before the first write; memory is checked by Redis before the script runs
-- (the #!lua line without allow-oom).
-- include: lib_epoch
-- include: lib_stamps
-- include: lib_top
local MAX_TOTAL = 2 ^ 50
local FIXED_KEYS, FIXED_ARGS = 5, 13

local meta = redis.call('HMGET', key_meta, 'epoch', 'settings', 'version', 'clock', 'cut', 'hidden',
  'expires')
if not meta[1] or meta[1] ~= current_epoch() then
  return {'!COLD'}
end
if meta[2] ~= arg_settings then
  return {'!SETTINGS', meta[2]}
end
if redis.call('XLEN', key_events) >= tonumber(arg_backlog) then
  return {'!BACKLOG'}
end

local count = tonumber(arg_count)
local min_points, max_points = tonumber(arg_min), tonumber(arg_max)
local rate, rate_ms = tonumber(arg_rate), tonumber(arg_rate_ms)
local gated = arg_gated == '1'
local rated = rate > 0
local key_stride = 1 + (rated and 1 or 0) + (gated and 2 or 0)
local arg_stride = gated and 9 or 4
if #KEYS ~= FIXED_KEYS + count * key_stride or #ARGV ~= FIXED_ARGS + count * arg_stride then
  return redis.error_reply('ERR submit_scores: KEYS and ARGV do not fit the count')
end
local version, cut = tonumber(meta[3]), tonumber(meta[5]) or -math.huge
local clock, now = tonumber(meta[4]), now_ms()

-- Reads. ----------------------------------------------------------------------------------------

local function fetch(offset, into)
  local names = {}
  for i = 0, count - 1 do
    names[i + 1] = KEYS[FIXED_KEYS + i * key_stride + offset]
  end
  local values = redis.call('MGET', unpack(names))
  for i = 1, count do
    into[names[i]] = values[i]
  end
end

local receipts, memories = {}, {}
fetch(1, receipts)
if gated then
  fetch(key_stride - 1, memories)
  fetch(key_stride, memories)
end
if rated then
  for i = 0, count - 1 do
    redis.call('LLEN', KEYS[FIXED_KEYS + i * key_stride + 2])
  end
end

local users = {}
for i = 0, count - 1 do
  users[i + 1] = ARGV[FIXED_ARGS + i * arg_stride + 1]
end
local stamps, hidden_stamps = {}, {}
local shown = redis.call('ZMSCORE', key_board, unpack(users))
local concealed = meta[6] and redis.call('ZMSCORE', key_hidden, unpack(users)) or {}
for i = 1, count do
  stamps[users[i]] = tonumber(shown[i])
  hidden_stamps[users[i]] = tonumber(concealed[i])
end

-- Writes. ---------------------------------------------------------------------------------------

local replies = {}
local pending = {} -- memories to store, by key; the last one wins
local last_event, top_reached, counted = nil, false, false

local function append(kind, score, reached, body)
  last_event = redis.call('XADD', key_events, '*', 'o', kind, 's', score, 'k', reached,
    'n', meta[3], 'd', body)
  return last_event
end

local function rank_of(user)
  local rank = redis.call('ZREVRANK', key_board, user)
  return rank and integer(rank + 1) or '-'
end

local function answer_from(receipt_key, text, user, points, attempt, body)
  local kept, known_points, score, known_attempt, event, agents =
    string.match(text, '^(%a)(%-?%d+),(%-?%d*),([^,]*),([^,]*),(.*)$')
  if arg_rewrite == '1' then
    redis.call('SET', receipt_key, text, 'KEEPTTL')
  end
  if kept == 'A' and known_attempt == attempt then
    return 'A ' .. score .. ' ' .. rank_of(user) .. ' ' .. event
  elseif known_points ~= points then
    append('C', '', '', body)
    return 'C'
  elseif kept == 'R' then
    return 'R ' .. agents
  end
  return 'D ' .. score .. ' ' .. event
end

-- A memory's text is '<revision>:<payload>'; an absent one has revision 0.
local function moved(memory_key, expected)
  local current = memories[memory_key]
  return (current and string.match(current, '^%d+') or '0') ~= expected
end

local function remember(memory_key, text)
  if text ~= '' then
    memories[memory_key] = text
    pending[memory_key] = text
  end
end

local function wait_of(rate_key)
  local oldest = redis.call('LINDEX', rate_key, rate - 1)
  return oldest and math.max(0, tonumber(oldest) + rate_ms - now) or 0
end

local function submit(k, a)
  local receipt_key = KEYS[k + 1]
  local user, points, attempt, body = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  local known = receipts[receipt_key]
  if known then
    return answer_from(receipt_key, known, user, points, attempt, body)
  end

  local profile_key, device_key = KEYS[k + key_stride - 1], KEYS[k + key_stride]
  if gated then
    if moved(profile_key, ARGV[a + 6]) then
      return 'S'
    end
    if ARGV[a + 8] ~= '' and moved(device_key, ARGV[a + 8]) then
      return 'S'
    end
    local agents = ARGV[a + 5]
    if agents ~= '' then
      local event = append('R', '', '', body)
      local text = 'R' .. points .. ',,' .. attempt .. ',' .. event .. ',' .. agents
      redis.call('SET', receipt_key, text, 'NX', 'PX', arg_window)
      receipts[receipt_key] = text
      remember(profile_key, ARGV[a + 7])
      remember(device_key, ARGV[a + 9])
      return 'R ' .. agents
    end
  end

  local change = tonumber(points)
  if change < min_points or change > max_points then
    return 'B'
  end
  if rated then
    local wait = wait_of(KEYS[k + 2])
    if wait > 0 then
      return 'L ' .. integer(wait)
    end
  end
  local concealed_here = hidden_stamps[user] ~= nil
  local home = concealed_here and hidden_stamps or stamps
  local before = home[user]
  local total = (before and math.floor(before) or 0) + change
  if total > MAX_TOTAL or total < -MAX_TOTAL then
    return 'O'
  end

  local after, reached = before, nil
  if before and change == 0 then
    reached = reached_ms(before) -- the total was reached then, not now
  else
    clock = math.max(now, clock + 1)
    reached = clock
    after = stamp(total, clock)
    -- One command adds the points and moves the stamp. Where the sum of the two doubles rounds to
    -- a neighbour of the stamp, the stamp is set outright.
    local zset = concealed_here and key_hidden or key_board
    if tonumber(redis.call('ZINCRBY', zset, double(after - (before or 0)), user)) ~= after then
      redis.call('ZADD', zset, double(after), user)
    end
    home[user] = after
  end

  local score = integer(total)
  local event = append('A', score, integer(reached), body)
  local text = 'A' .. points .. ',' .. score .. ',' .. attempt .. ',' .. event .. ','
  redis.call('SET', receipt_key, text, 'NX', 'PX', arg_window)
  receipts[receipt_key] = text
  if rated then
    redis.call('LPUSH', KEYS[k + 2], integer(now))
    redis.call('LTRIM', KEYS[k + 2], 0, rate - 1)
    redis.call('PEXPIRE', KEYS[k + 2], arg_rate_ms)
  end
  if gated then
    remember(profile_key, ARGV[a + 7])
    remember(device_key, ARGV[a + 9])
  end
  counted = true
  if concealed_here then
    return 'A ' .. score .. ' - ' .. event
  end
  top_reached = top_reached or after >= cut or (before ~= nil and before >= cut)
  return 'A ' .. score .. ' ' .. rank_of(user) .. ' ' .. event
end

for i = 0, count - 1 do
  replies[i + 1] = submit(FIXED_KEYS + i * key_stride, FIXED_ARGS + i * arg_stride)
end

for memory_key, text in pairs(pending) do
  redis.call('SET', memory_key, text, 'PX', arg_memory)
end
if last_event then
  redis.call('HSET', key_meta, 'clock', integer(clock), 'event', last_event)
end
if top_reached then
  announce_top(key_board, key_meta, key_channel, arg_board, version, now)
end

-- Board, hidden and meta expire at one instant. It is moved only when a sixteenth of the idle time
-- has passed, and set again while the board is so small that its zset may just have been made.
local idle = tonumber(arg_idle)
if counted and idle > 0 then
  local expires = tonumber(meta[7]) or 0
  if expires - now < idle * 15 / 16 or cut == -math.huge then
    local instant = integer(now + idle)
    redis.call('PEXPIREAT', key_board, instant)
    redis.call('PEXPIREAT', key_hidden, instant)
    redis.call('PEXPIREAT', key_meta, instant)
    redis.call('HSET', key_meta, 'expires', instant)
  end
end
return replies
