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
--        [, agents ('' approves, '?' can't tell), profile revision, profile, device revision, device ('': none)]
--
-- Replies  {'!COLD'}            the board is not live under this Redis history; nothing written
--          {'!SETTINGS', text}  the board's settings differ from the caller's; nothing written
--          {'!BACKLOG'}         the stream is full; nothing written
--          or one text for each action:
--          'A score rank event'  accepted (rank '-' for a hidden user)
--          'D score event'       duplicate of an action with the same points
--          'C'                   conflict: the same action with other points; the first is recorded and marks the
--                               receipt
--          'R agents'            refused by these agents (comma-separated), now or before
--          'B'                   points outside the board's bounds; nothing written
--          'O'                   the total would leave +-2^50; nothing written
--          'L ms'                rate limited for that many ms; nothing written
--          'U'                   the verdict is '?': nobody could judge it now; nothing written
--          'S'                   a memory changed since the verdict; nothing written, judge again
--
-- A receipt always wins over a verdict. Lua does not roll back, so every read and every check of an
-- argument, and with them all errors, come before the first write; memory is checked by Redis before
-- the script runs (the #!lua line without allow-oom). Receipts and memories of another type than
-- text count as absent and are replaced. Numbers go to redis.call as they are: it writes 17 digits.
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_totals
-- include: lib_top
local call = redis.call

local meta = live_meta(key_meta, 'settings', 'version', 'clock', 'cut', 'hidden', 'expires')
local version, clock = meta and tonumber(meta[3]), meta and tonumber(meta[4])
if not (version and clock and meta[2]) then
  return {COLD}
end
if meta[2] ~= arg_settings then
  return {'!SETTINGS', meta[2]}
end

-- Arguments. ------------------------------------------------------------------------------------

local function whole(name, text, least)
  local number = tonumber(text)
  if not number or number % 1 ~= 0 or number < least or number > 2 ^ 53 then
    error('submit_scores: ' .. name .. ' is ' .. text, 0)
  end
  return number
end

local count, rate = whole('count', arg_count, 1), whole('rate', arg_rate, 0)
local window, idle = whole('window', arg_window, 1), whole('idle', arg_idle, 0)
local min_points, max_points = tonumber(arg_min), tonumber(arg_max)
local rated, gated = rate > 0, arg_gated == '1'
local rate_ms = rated and whole('rate_ms', arg_rate_ms, 1)
if gated then
  whole('memory', arg_memory, 1)
end
local key_stride = 1 + (rated and 1 or 0) + (gated and 2 or 0)
local arg_stride = gated and DEVICE or BODY -- the last argument of an action
if #KEYS ~= FIXED_KEYS + count * key_stride or #ARGV ~= FIXED_ARGS + count * arg_stride
    or not min_points or not max_points then
  error('submit_scores: KEYS and ARGV do not fit the count, or the bounds are no numbers', 0)
end
if call('XLEN', key_events) >= whole('backlog', arg_backlog, 1) then
  return {'!BACKLOG'}
end

-- Reads. ----------------------------------------------------------------------------------------

local users, changes, receipt_keys = {}, {}, {}
for i = 1, count do
  local a = FIXED_ARGS + (i - 1) * arg_stride
  users[i] = ARGV[a + USER]
  changes[i] = whole('points', ARGV[a + POINTS], -MAX_TOTAL)
  receipt_keys[i] = KEYS[FIXED_KEYS + (i - 1) * key_stride + 1]
end
local found = call('MGET', unpack(receipt_keys))
local shown = call('ZMSCORE', key_board, unpack(users))
local concealed = meta[6] and call('ZMSCORE', key_hidden, unpack(users))

local memories = {} -- by key; what the agents looked at, then what this call leaves
local oldest = {} -- by rate key: the time that must leave the window first, false when there is room
for i = 0, count - 1 do
  local k = FIXED_KEYS + i * key_stride
  if rated then
    oldest[KEYS[k + 2]] = call('LINDEX', KEYS[k + 2], rate - 1)
  end
  if gated then
    local texts = call('MGET', KEYS[k + key_stride - 1], KEYS[k + key_stride])
    memories[KEYS[k + key_stride - 1]], memories[KEYS[k + key_stride]] = texts[1], texts[2]
  end
end

-- Writes. ---------------------------------------------------------------------------------------
-- The loop is not in a function: every call of the script creates its closures again, which would
-- cost a lone action as much as two commands.

local cut, now = tonumber(meta[5]) or -math.huge, now_ms()
local receipts_expire = integer(now + window)
local receipts, stamps = {}, {} -- by key and by user: what this call leaves
local pending = {} -- memories to store, by key; the last one wins
local replies = {}
local last_event, counted, joined, top_reached = nil, false, false, false

local function append(kind, score, reached, body)
  last_event = call('XADD', key_events, '*', 'o', kind, 's', score, 'k', reached, 'n', meta[3],
    'd', body)
  return last_event
end

local function accepted(score, user, event)
  local rank = call('ZREVRANK', key_board, user)
  return 'A ' .. score .. (rank and ' ' .. integer(rank + 1) .. ' ' or ' - ') .. event
end

local function answer_from(receipt_key, text, user, points, attempt, body)
  local kept, known_points, score, known_attempt, event, agents =
    string.match(text, '^(%a)(%-?%d+),(%-?%d*),([^,]*),([^,]*),([^!]*)!?$')
  if known_points ~= points then
    if string.sub(text, -1) ~= '!' then -- or any number of repeats could fill the stream
      append('C', '', '', body)
      receipts[receipt_key] = text .. '!'
      call('SET', receipt_key, text .. '!', 'KEEPTTL')
    end
    return 'C'
  elseif kept == 'A' and known_attempt == attempt then
    return accepted(score, user, event)
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
  if oldest[rate_key] == nil then
    oldest[rate_key] = call('LINDEX', rate_key, rate - 1)
  end
  local at = oldest[rate_key]
  return at and tonumber(at) + rate_ms - now or 0
end

for i = 1, count do
  local k, a = FIXED_KEYS + (i - 1) * key_stride, FIXED_ARGS + (i - 1) * arg_stride
  local user, points, attempt, body = users[i], ARGV[a + POINTS], ARGV[a + ATTEMPT], ARGV[a + BODY]
  local change, receipt_key = changes[i], receipt_keys[i]
  local rate_key = KEYS[k + 2]
  local profile_key, device_key = KEYS[k + key_stride - 1], KEYS[k + key_stride]
  local known = receipts[receipt_key] or found[i]

  if known then
    if arg_rewrite == '1' then
      call('SET', receipt_key, known, 'KEEPTTL')
    end
    replies[i] = answer_from(receipt_key, known, user, points, attempt, body)

  elseif gated and ARGV[a + AGENTS] == '?' then
    replies[i] = 'U'

  elseif gated and (moved(profile_key, ARGV[a + PROFILE_REVISION])
      or ARGV[a + DEVICE_REVISION] ~= '' and moved(device_key, ARGV[a + DEVICE_REVISION])) then
    replies[i] = 'S'

  elseif gated and ARGV[a + AGENTS] ~= '' then
    local event = append('R', '', '', body)
    local text = 'R' .. points .. ',,' .. attempt .. ',' .. event .. ',' .. ARGV[a + AGENTS]
    call('SET', receipt_key, text, 'PXAT', receipts_expire)
    receipts[receipt_key] = text
    remember(profile_key, ARGV[a + PROFILE])
    remember(device_key, ARGV[a + DEVICE])
    replies[i] = 'R ' .. ARGV[a + AGENTS]

  elseif change < min_points or change > max_points then
    replies[i] = 'B'

  elseif rated and wait_of(rate_key) > 0 then
    replies[i] = 'L ' .. integer(wait_of(rate_key))

  else
    local hidden = concealed and concealed[i]
    local before = stamps[user] or tonumber(hidden or shown[i])
    local total = total_after(before, change)
    if not total then
      replies[i] = 'O'
    else
      local reached
      reached, clock = reached_after(before, change, clock, now)
      if not before or change ~= 0 then
        local after = stamp(total, reached)
        -- One command adds the points and moves the stamp. Where the sum of the two doubles would be
        -- rounded to a neighbour of the stamp, the exact stamp is set instead.
        local step = after - (before or 0)
        if (before or 0) + step == after then
          call('ZINCRBY', hidden and key_hidden or key_board, step, user)
        else
          call('ZADD', hidden and key_hidden or key_board, after, user)
        end
        stamps[user] = after
        joined = joined or not before
        top_reached = top_reached
          or not hidden and (after >= cut or before ~= nil and before >= cut)
      end

      local score = integer(total)
      local event = append('A', score, reached, body)
      local text = 'A' .. points .. ',' .. score .. ',' .. attempt .. ',' .. event .. ','
      call('SET', receipt_key, text, 'PXAT', receipts_expire)
      receipts[receipt_key] = text
      if rated then
        call('LPUSH', rate_key, now)
        call('LTRIM', rate_key, 0, rate - 1)
        call('PEXPIRE', rate_key, arg_rate_ms)
        oldest[rate_key] = nil
      end
      if gated then
        remember(profile_key, ARGV[a + PROFILE])
        remember(device_key, ARGV[a + DEVICE])
      end
      counted = true
      replies[i] = accepted(score, user, event)
    end
  end
end

for memory_key, text in pairs(pending) do
  call('SET', memory_key, text, 'PX', arg_memory)
end
if last_event then
  call('HSET', key_meta, 'clock', clock, 'event', last_event)
end
if top_reached then
  announce_top(key_board, key_meta, key_channel, arg_board, version, now)
end

-- Board, hidden and meta expire at the same time. That time is moved only once a sixteenth of the
-- idle time has passed, and set when the zset may just have been created.
if counted and idle > 0 then
  local expires = tonumber(meta[7]) or 0
  if expires - now < idle * 15 / 16 or joined and cut == -math.huge then
    local instant = integer(now + idle)
    call('PEXPIREAT', key_board, instant)
    call('PEXPIREAT', key_hidden, instant)
    call('PEXPIREAT', key_meta, instant)
    call('HSET', key_meta, 'expires', instant)
  end
end
return replies
