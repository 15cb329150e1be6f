#!lua
-- submit_scores: N score actions of one board, in order, atomically and in one round trip.
--
-- KEYS   board, hidden, meta, events, channel, moves;
--        then for each action: receipt [, rate] [, profile, device];
--        then, where there are limits and no periods: players
--        then for each period: board, hidden, meta, channel of the occurrence that the caller names [,
--        players]; and where latecomers count, board, hidden, meta [, players] of the one before
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
--        totals     the rules of totals (lib_rules), as settings has them
--        limits     likewise when the board takes actions, and of whom (lib_limits); '': always, of all.
--                   Where it has periods, of whom holds for each occurrence
--        periods    '1' or '0': whether the board has a table of all time to show; then for each of its
--                   periods 'g' or '-': whether latecomers count; '': it has none
--        rewrite    '1': a receipt that is hit is written again, so that a durability wait on this
--                   connection covers it
--        then for each action: user, points, attempt, body
--        [, agents ('' approves, '?' can't tell), profile revision, profile, device revision, device ('': none)]
--        then for each period: its name, and the occurrence that the caller believes to be the latest
--        (lib_periods: number, start, end, final)
--        then, where latecomers count, for each action: when it happened, Unix ms; '': now
--
-- Replies  {'!COLD'}            the board is not live under this Redis history, has lost a zset, or what it
--                               knows of a period can't be read; nothing written
--          {'!SETTINGS', text}  the board's settings differ from the caller's; nothing written
--          {'!BACKLOG'}         the stream is full; nothing written
--          {'!PERIOD', time, name, text, ...}  the caller is mistaken about a period: the board's time,
--                               Unix ms, and what it knows of each (lib_periods; '': no occurrence yet);
--                               nothing written
--          or one text for each action:
--          'A score rank event'  accepted (rank '-' for a hidden user); where the operator is not sum,
--                               ' previous' follows: the total before it ('-': none); where it counts
--                               in occurrences '|ranks|moves' follows: in each the user's rank and a
--                               space ('-': as above, or it is over), and the moves as the receipt keeps
--                               them (wire/moves.py)
--          'D score event'       duplicate of an action with the same points
--          'K [ms]'              the board is closed, or none of its periods is open, and opens at ms;
--                               nothing written
--          'T'                   no attempt is left to the user; nothing written
--          'N'                   the user has to join first; nothing written
--          'F [table]'           the user is not in, and the board is full; nothing written. On a board with
--                               shards: the shard has no room, in its own table ('-') or in this one (`week:12`)
--          'C'                   conflict: the same action with other points; the first is recorded and marks the
--                               receipt
--          'R agents'            refused by these agents (comma-separated), now or before
--          'B'                   points outside the board's bounds; nothing written
--          'O'                   the total would leave +-2^50; nothing written
--          'L ms'                rate limited for that many ms; nothing written, but that times of the
--                               user that the clock has not reached yet become now
--          'U'                   the verdict is '?': nobody could judge it now; nothing written
--          'S'                   a memory changed since the verdict; nothing written, judge again
--
-- Totals in receipts, in moves and in the stream are as they are kept, negated where less is better
-- (lib_rules); the others in replies are as people see them.
--
-- A receipt always wins over a verdict. Lua does not roll back, so every read and every check of an
-- argument, and with them all errors, come before the first write; memory is checked by Redis before
-- the script runs (the #!lua line without allow-oom). Receipts and memories of another type than
-- text, and receipts that can't be read, count as absent and are replaced; the ledger, which has the
-- actions, has what was counted again taken back. Numbers go to redis.call as they are: it writes 17 digits.
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_totals
-- include: lib_top
-- include: lib_receipts
local call = redis.call

local limited, periodic = arg_limits ~= '', arg_periods ~= ''
local further = {} -- what is asked of meta beside: nothing where there are neither limits nor periods
if limited or periodic then
  further = {'event', 'counter'}
  local names = #ARGV - 2 * (#arg_periods - 1)
    - (string.find(arg_periods, 'g', 1, true) and tonumber(arg_count) or 0)
  for p = 1, #arg_periods - 1 do
    further[p + 2] = 'period:' .. (ARGV[names + 2 * p - 1] or '')
  end
end
local EVENT, COUNTER = 9, 10 -- where these are in meta; behind them is what is known of each period
local meta = live_meta(key_meta, 'settings', 'version', 'clock', 'cut', 'hidden', 'expires',
  'watched', unpack(further))
local version, clock = meta and tonumber(meta[3]), meta and tonumber(meta[4])
if not (version and clock and meta[2]) or version % 1 ~= 0 or version < 0 or version > 2 ^ 53
    or clock % 1 ~= 0 then
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
local rules, plain = rules_in(arg_totals), arg_totals == ''
local tells_previous = rules.operator ~= 'sum'
local rate_ms = rated and whole('rate_ms', arg_rate_ms, 1)
if gated then
  whole('memory', arg_memory, 1)
end
local key_stride = 1 + (rated and 1 or 0) + (gated and 2 or 0)
local arg_stride = gated and DEVICE or BODY -- the last argument of an action
local keys_end, args_end = FIXED_KEYS + count * key_stride, FIXED_ARGS + count * arg_stride
if not periodic and (#KEYS ~= keys_end + (limited and 1 or 0) or #ARGV ~= args_end)
    or not min_points or not max_points then
  error('submit_scores: KEYS and ARGV do not fit the count, or the bounds are no numbers', 0)
end
if call('XLEN', key_events) >= whole('backlog', arg_backlog, 1) then
  return {'!BACKLOG'}
end

-- Reads. ----------------------------------------------------------------------------------------

local users, changes, receipt_keys = {}, {}, {}
local place = {} -- by user: that of the user's last action, where what is known of the user is kept
for i = 1, count do
  local a = FIXED_ARGS + (i - 1) * arg_stride
  users[i] = ARGV[a + USER]
  place[users[i]] = i
  changes[i] = whole('points', ARGV[a + POINTS], -MAX_TOTAL)
  receipt_keys[i] = KEYS[FIXED_KEYS + (i - 1) * key_stride + 1]
end
local found = call('MGET', unpack(receipt_keys))
local shown = call('ZMSCORE', key_board, unpack(users))
local concealed = meta[6] and call('ZMSCORE', key_hidden, unpack(users))
-- A zset with some user of the call in it is there.
local board_seen, hidden_seen = false, not concealed
local unreadable -- receipts
for i = 1, count do
  local text = found[i]
  if text and not string.find(text, COUNTED) and not string.find(text, REFUSED) then
    found[i], unreadable = false, unreadable or {}
    unreadable[#unreadable + 1] = receipt_keys[i]
  end
  board_seen = board_seen or shown[i]
  hidden_seen = hidden_seen or concealed[i]
end
if not board_seen and lost(key_board, key_meta, 'top', '[]')
    or not hidden_seen and lost(key_hidden, key_meta, 'hidden', false) then
  return {COLD}
end

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
local note -- of who moved, while clients watch players of the board
if meta[8] and tonumber(meta[8]) > now then
  call('XLEN', key_moves) -- another program's key is an error now, and not behind the first write
-- include: lib_watched
  note = note_move
end
local seen, ranked -- a total as people see it, and a user's rank; a plain board needs neither
if not plain then
-- include: lib_ranks
  ranked = rank_of
  function seen(score)
    return rules.sign == 1 and score or integer(0 - tonumber(score))
  end
end

-- Of a board with limits: the answer when it is closed; who is in, with how many actions; for how many
-- there is room.
local limits, barred, room_left, closed, players, room
local key_players = limited and not periodic and KEYS[#KEYS]
local periods -- what the call does in occurrences (lib_occurrences)
local before_call = meta[3] -- the version that the events of this call tell of
if limited or periodic then
-- include: lib_time
  local time = board_time(meta[EVENT], now)
  if limited then
-- include: lib_limits
    limits, barred, room_left = limits_in(arg_limits), barred_by, room_in
    closed = closed_at(limits, time)
  end
  -- The actions that count of each of the call's users (false: who is not in a table), and the room that is
  -- left in it; nothing when it has lost its players.
  local function players_of(players_key, table_key)
    if lost(players_key, table_key, 'players', '0') then
      return nil
    end
    return call('ZMSCORE', players_key, unpack(users)), room_left(limits, table_key, players_key)
  end
  if periodic then
-- include: lib_periods
-- include: lib_occurrences
    local problem
    periods, problem = occurrences_of(time)
    if problem then
      return problem
    end
    before_call = integer(periods.counter)
    if periods.turning then
-- include: lib_turns
      if meta[7] then
        whole('expires', meta[7], 0)
      end
      for _, one in ipairs(periods.turning) do
        local keys = {guard = key_meta, meta = KEYS[one.keys + 3], events = key_events,
          channel = KEYS[one.keys + 4]}
        periods.counter = turn(one.period, one.name, arg_board, keys, periods.counter, meta[7], now)
      end
    end
  elseif limits.players then
    players, room = players_of(key_players, key_meta)
    if not players then
      return {COLD}
    end
  end
end
if unreadable then
  call('DEL', unpack(unreadable)) -- or who prepares the call would take them for receipts again
end
local receipts = {} -- by key: what this call leaves
local pending = {} -- memories to store, by key; the last one wins
local replies = {}
local last_event, counted, joined, top_reached = nil, false, false, false

local function append(kind, score, reached, body, previous, moves)
  if moves then
    if previous then
      last_event = call('XADD', key_events, '*', 'o', kind, 's', score, 'k', reached, 'n', before_call,
        'd', body, 'q', moves, 'b', previous)
    else
      last_event = call('XADD', key_events, '*', 'o', kind, 's', score, 'k', reached, 'n', before_call,
        'd', body, 'q', moves)
    end
  elseif previous then
    last_event = call('XADD', key_events, '*', 'o', kind, 's', score, 'k', reached, 'n', before_call,
      'd', body, 'b', previous)
  else
    last_event = call('XADD', key_events, '*', 'o', kind, 's', score, 'k', reached, 'n', before_call,
      'd', body)
  end
  return last_event
end

local function accepted(score, user, event, previous, ranks, moves)
  if plain then
    local above = call('ZREVRANK', key_board, user)
    if moves then
      return 'A ' .. score .. ' ' .. (above and integer(above + 1) or '-') .. ' ' .. event .. '|'
        .. ranks .. '|' .. moves
    end
    return 'A ' .. score .. (above and ' ' .. integer(above + 1) .. ' ' or ' - ') .. event
  end
  local rank = ranked(rules, key_board, user)
  local text = 'A ' .. seen(score) .. (rank and ' ' .. integer(rank) .. ' ' or ' - ') .. event
  if tells_previous then
    text = text .. ' ' .. (previous == '' and '-' or seen(previous))
  end
  return moves and text .. '|' .. ranks .. '|' .. moves or text
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
    local previous, moves = string.match(agents, '^([^;]*);?(.*)$')
    local ranks = periods and periods.ranks(moves, user)
    return accepted(score, user, event, previous, ranks, ranks and moves)
  elseif kept == 'R' then
    return 'R ' .. agents
  end
  return 'D ' .. (plain and score or seen(score)) .. ' ' .. event
end

-- A memory's text is '<revision>:<payload>'; an absent one has revision 0.
local function moved(memory_key, expected)
  local current = memories[memory_key]
  local revision = current and string.match(current, '^([1-9]%d*):')
  return (revision and #revision < 16 and revision or '0') ~= expected
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
  local at = oldest[rate_key] and tonumber(oldest[rate_key])
  if at and at > now then -- the clock was set back; the user shall not wait until it is there again
    local times = {}
    for i = 1, rate do
      times[i] = math.min(tonumber(call('LINDEX', rate_key, i - 1)), now)
    end
    call('DEL', rate_key)
    for i = rate, 1, -1 do
      call('LPUSH', rate_key, times[i])
    end
    call('PEXPIRE', rate_key, arg_rate_ms)
    at, oldest[rate_key] = now, now
  end
  return at and at + rate_ms - now or 0
end

for i = 1, count do
  local k, a = FIXED_KEYS + (i - 1) * key_stride, FIXED_ARGS + (i - 1) * arg_stride
  local user, points, attempt, body = users[i], ARGV[a + POINTS], ARGV[a + ATTEMPT], ARGV[a + BODY]
  local change, receipt_key = changes[i], receipt_keys[i]
  local rate_key = KEYS[k + 2]
  local profile_key, device_key = KEYS[k + key_stride - 1], KEYS[k + key_stride]
  local known = receipts[receipt_key] or found[i]
  local at = place[user]
  local bar = closed or players and barred(limits, tonumber(players[at]), room)
      or periods and periods.bar and periods.bar(i)

  if known then
    if arg_rewrite == '1' then
      call('SET', receipt_key, known, 'KEEPTTL')
    end
    replies[i] = answer_from(receipt_key, known, user, points, attempt, body)

  elseif bar then
    replies[i] = bar == 'F' and limits.shared and 'F -' or bar

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
    local hidden = concealed and concealed[at]
    local before = tonumber(hidden or shown[at])
    local total = total_after(rules, before, change)
    if not total or periods and not periods.fits(i, at) then
      replies[i] = 'O'
    else
      local reached, moves, ranks
      reached, clock = reached_after(before, total, clock, now)
      local moves_total = not before or total ~= before - before % 1
      if moves_total then
        local after = stamp(total, reached)
        -- One command adds the points and moves the stamp. Where the sum of the two doubles would be
        -- rounded to a neighbour of the stamp, the exact stamp is set instead.
        local step = after - (before or 0)
        if (before or 0) + step == after then
          call('ZINCRBY', hidden and key_hidden or key_board, step, user)
        else
          call('ZADD', hidden and key_hidden or key_board, after, user)
        end
        if note and not hidden then
          note('', user, before, after)
        end
        if hidden then
          concealed[at] = after
        else
          shown[at] = after
        end
        joined = joined or not before
        top_reached = top_reached
          or not hidden and (after >= cut or before ~= nil and before >= cut)
      end

      if periods then
        moves, ranks, clock = periods.count(i, at, user, hidden, moves_total and reached, clock)
      end
      local score = integer(total)
      local previous = tells_previous and (before and integer(math.floor(before)) or '')
      local event = append('A', score, reached, body, previous, moves)
      local text = 'A' .. points .. ',' .. score .. ',' .. attempt .. ',' .. event .. ','
        .. (previous or '') .. (moves and ';' or '') .. (moves or '')
      call('SET', receipt_key, text, 'PXAT', receipts_expire)
      receipts[receipt_key] = text
      if rated then
        call('LPUSH', rate_key, now)
        call('LTRIM', rate_key, 0, rate - 1)
        call('PEXPIRE', rate_key, arg_rate_ms)
        oldest[rate_key] = nil
      end
      if players then
        call('ZINCRBY', key_players, 1, user)
        local attempts = tonumber(players[at])
        room = room and not attempts and room - 1 or room
        players[at] = (attempts or 0) + 1
      end
      if gated then
        remember(profile_key, ARGV[a + PROFILE])
        remember(device_key, ARGV[a + DEVICE])
      end
      counted = true
      replies[i] = accepted(score, user, event, previous, ranks, moves)
    end
  end
end

for memory_key, text in pairs(pending) do
  call('SET', memory_key, text, 'PX', arg_memory)
end
if last_event then
  call('HSET', key_meta, 'clock', clock, 'event', last_event)
end
if counted and players then
  call('HSET', key_meta, 'players', '1')
end
if top_reached then
  version = announce_top(rules, key_board, key_meta, key_channel, about(arg_board),
    periods and periods.counter or version, now)
end
if periods and counted then
  periods.counter = math.max(periods.counter, version)
  periods.announce()
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
    if players then
      call('PEXPIREAT', key_players, instant)
    end
    call('HSET', key_meta, 'expires', instant)
    if periods then
      periods.expire(instant, false)
    end
  elseif periods and expires > 0 then
    periods.expire(integer(expires), true)
  end
end
return replies
