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
-- include: lib_receipts
local call, format = redis.call, string.format

local limited, periodic = arg_limits ~= '', arg_periods ~= ''
local graced = periodic and string.find(arg_periods, 'g', 2, true) -- whether latecomers count in any period
local further = {} -- what is asked of meta beside: nothing where there are neither limits nor periods
if limited or periodic then
  further = {'event', 'counter'}
  local names = #ARGV - 2 * (#arg_periods - 1) - (graced and tonumber(arg_count) or 0)
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
local operator, tells_previous = rules.operator, rules.operator ~= 'sum'
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
  local user, points = ARGV[a + USER], ARGV[a + POINTS]
  local change = points + 0
  if change % 1 ~= 0 or change < -MAX_TOTAL or change > 2 ^ 53 then
    error('submit_scores: points is ' .. points, 0)
  end
  users[i], changes[i], place[user] = user, change, i
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
  if shown[i] then
    board_seen = true
  elseif concealed and concealed[i] then
    hidden_seen = true
  end
end
if not board_seen and lost(key_board, key_meta, 'top', '[]')
    or not hidden_seen and lost(key_hidden, key_meta, 'hidden', false) then
  return {COLD}
end

local memories, pending -- by key: what the agents looked at, then what this call leaves; what to store
local oldest -- by rate key: the time that must leave the window first, false when there is room
if rated or gated then
  memories, pending, oldest = {}, {}, {}
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
end

-- Writes. ---------------------------------------------------------------------------------------
-- The loop is not in a function, and functions and pieces stand where they are needed: every call of the
-- script makes its closures again, with all that they capture, and each call of one costs as much as seven
-- steps of Lua.

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
local limits, barred, closed, players, room
local key_players = limited and not periodic and KEYS[#KEYS]
-- Of a board with periods, what lib_occurrences finds.
local tables, open, takers, bar_of, per_player, keeps_count, lowest_cut, near_bounds, counter, counter_kept
local before_call = meta[3] -- the version that the events of this call tell of
if limited or periodic then
-- include: lib_time
  local time = board_time(meta[EVENT], now)
  local players_of
  if limited then
-- include: lib_limits
    limits, barred = limits_in(arg_limits), barred_by
    closed = closed_at(limits, time)
    -- The actions that count of each of the call's users (false: who is not in a table), and the room that
    -- is left in it; nothing when it has lost its players.
    function players_of(players_key, table_key)
      if lost(players_key, table_key, 'players', '0') then
        return nil
      end
      return call('ZMSCORE', players_key, unpack(users)), room_in(limits, table_key, players_key)
    end
  end
  if periodic then
-- include: lib_occurrences
    before_call = integer(counter)
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
local replies = {}
local last_event, counted, joined, top_reached = nil, false, false, false

local moved, remember -- whether a memory is another than the agents saw, and what comes into its place
if gated then
  -- A memory's text is '<revision>:<payload>'; an absent one has revision 0.
  function moved(memory_key, expected)
    local current = memories[memory_key]
    local revision = current and string.match(current, '^([1-9]%d*):')
    return (revision and #revision < 16 and revision or '0') ~= expected
  end

  function remember(memory_key, text)
    if text ~= '' then
      memories[memory_key] = text
      pending[memory_key] = text
    end
  end
end

local wait_of -- for how long, in ms, a user has to wait
if rated then
  function wait_of(rate_key)
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
end

for i = 1, count do
  local a = FIXED_ARGS + (i - 1) * arg_stride
  local user, points, attempt, body = users[i], ARGV[a + POINTS], ARGV[a + ATTEMPT], ARGV[a + BODY]
  local change, receipt_key, at = changes[i], receipt_keys[i], place[user]
  local rate_key, profile_key, device_key
  if rated or gated then
    local k = FIXED_KEYS + (i - 1) * key_stride
    rate_key, profile_key, device_key = KEYS[k + 2], KEYS[k + key_stride - 1], KEYS[k + key_stride]
  end
  local known = receipts[receipt_key] or found[i]
  local bar = closed or players and barred(limits, tonumber(players[at]), room) or bar_of and bar_of(i)
  -- Of an action that counts, or has counted in the same attempt.
  local event, score, previous, ranks, moves

  if known then
    if arg_rewrite == '1' then
      call('SET', receipt_key, known, 'KEEPTTL')
    end
    local kept, known_points, known_score, known_attempt, known_event, agents =
      string.match(known, '^(%a)(%-?%d+),(%-?%d*),([^,]*),([^,]*),([^!]*)!?$')
    if known_points ~= points then
      if string.sub(known, -1) ~= '!' then -- or any number of repeats could fill the stream
        last_event = call('XADD', key_events, '*', 'o', 'C', 's', '', 'k', '', 'n', before_call,
          'd', body)
        receipts[receipt_key] = known .. '!'
        call('SET', receipt_key, known .. '!', 'KEEPTTL')
      end
      replies[i] = 'C'
    elseif kept == 'A' and known_attempt == attempt then
      event, score = known_event, known_score
      previous, moves = string.match(agents, '^([^;]*);?(.*)$')
      if periodic then
-- include: lib_receipt_ranks
        ranks = ranks_in(moves, user)
      end
      moves = ranks and moves
    elseif kept == 'R' then
      replies[i] = 'R ' .. agents
    else
      replies[i] = 'D ' .. (plain and known_score or seen(known_score)) .. ' ' .. known_event
    end

  elseif bar then
    replies[i] = bar == 'F' and limits.shared and 'F -' or bar

  elseif gated and ARGV[a + AGENTS] == '?' then
    replies[i] = 'U'

  elseif gated and (moved(profile_key, ARGV[a + PROFILE_REVISION])
      or ARGV[a + DEVICE_REVISION] ~= '' and moved(device_key, ARGV[a + DEVICE_REVISION])) then
    replies[i] = 'S'

  elseif gated and ARGV[a + AGENTS] ~= '' then
    last_event = call('XADD', key_events, '*', 'o', 'R', 's', '', 'k', '', 'n', before_call, 'd', body)
    local text = 'R' .. points .. ',,' .. attempt .. ',' .. last_event .. ',' .. ARGV[a + AGENTS]
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
    local hidden, value = concealed and concealed[at], plain and change or turned(rules, change)
    local before, taking = hidden or shown[at], open
    before = before and before + 0
-- include: lib_new_total
    local fits = total <= MAX_TOTAL and total >= -MAX_TOTAL
    if graced then
      taking = takers(i)
    end
    if near_bounds then -- no total of any table may leave them, and nothing is written before that is known
      for t = 1, #taking do
        fits = fits and total_after(rules, taking[t].scores[at], change)
      end
    end
    if not fits then
      replies[i] = 'O'
    else
      -- When the total was reached; when those that move now were, and what that adds to their stamps.
      local reached, tick, part
      reached, clock = reached_after(before, total, clock, now)
      if total ~= had then
        tick, part = reached, stamp(0, reached)
        local after = total + part
        -- One command adds the points and moves the stamp. Where the sum of the two doubles would be
        -- rounded to a neighbour of the stamp, the exact stamp is set instead.
        local step = after - (before or 0)
        if (before or 0) + step == after then
          call('ZINCRBY', hidden and key_hidden or key_board, step, user)
        else
          call('ZADD', hidden and key_hidden or key_board, after, user)
        end
        if hidden then
          concealed[at] = after
        else
          shown[at] = after
          top_reached = top_reached or after >= cut or before and before >= cut
          if note then
            note('', user, before, after)
          end
        end
        joined = joined or not before
      end
      score = format('%d', total)
      if tells_previous then
        previous = had and format('%d', had) or ''
      end

      if periodic then
        for t = 1, #taking do
          local one = taking[t]
          local scores, board, since = one.scores, one.board, tick
          local before = scores[at]
-- include: lib_new_total
          if total == had then
            since = reached_ms(before) -- then, and not now
          else
            if not tick then
              tick, clock = reached_after(nil, total, clock, now)
              since, part = tick, stamp(0, tick)
            end
            local after = total + part
            scores[at] = after
            if hidden then
              call('ZADD', KEYS[one.keys + 2], after, user)
              call('HSET', KEYS[one.keys + 3], 'hidden', '1')
            else
              call('ZADD', board, after, user)
              if after >= lowest_cut or before and before >= lowest_cut then
                one.top_reached = one.top_reached or after >= one.cut or before and before >= one.cut
              end
              if note then
                note(one.period .. ':' .. one.number, user, before, after)
              end
            end
          end
          if keeps_count then
            one.counted = true
            if per_player then
              call('ZINCRBY', one.players, 1, user)
              local attempts = tonumber(one.attempts[at])
              one.room = one.room and not attempts and one.room - 1 or one.room
              one.attempts[at] = (attempts or 0) + 1
            end
          end
          local rank, move
          if hidden then
            rank = '-'
          elseif plain then
            rank = format('%d', call('ZREVRANK', board, user) + 1)
          else
            rank = format('%d', ranked(rules, board, user))
          end
          if had then
            move = format(one.move, total, since, had)
          else
            move = one.period .. ':' .. one.number .. format(' %d %d -', total, since)
          end
          if moves then
            ranks, moves = ranks .. ' ' .. rank, moves .. ';' .. move
          else
            ranks = rank
            moves = move
          end
        end
      end
      if not moves and not previous then
        event = call('XADD', key_events, '*', 'o', 'A', 's', score, 'k', reached, 'n', before_call,
          'd', body)
      elseif not previous then
        event = call('XADD', key_events, '*', 'o', 'A', 's', score, 'k', reached, 'n', before_call,
          'd', body, 'q', moves)
      elseif not moves then
        event = call('XADD', key_events, '*', 'o', 'A', 's', score, 'k', reached, 'n', before_call,
          'd', body, 'b', previous)
      else
        event = call('XADD', key_events, '*', 'o', 'A', 's', score, 'k', reached, 'n', before_call,
          'd', body, 'q', moves, 'b', previous)
      end
      last_event = event
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
    end
  end

  if event then
    local rank
    if plain then
      local above = call('ZREVRANK', key_board, user)
      rank = above and above + 1
    else
      rank, score = ranked(rules, key_board, user), seen(score)
      if tells_previous then
        event = event .. ' ' .. (previous == '' and '-' or seen(previous))
      end
    end
    local stands = rank and format(' %d ', rank) or ' - '
    if moves then
      replies[i] = 'A ' .. score .. stands .. event .. '|' .. ranks .. '|' .. moves
    else
      replies[i] = 'A ' .. score .. stands .. event
    end
  end
end

if gated then
  for memory_key, text in pairs(pending) do
    call('SET', memory_key, text, 'PX', arg_memory)
  end
end
if last_event then
  call('HSET', key_meta, 'clock', clock, 'event', last_event)
end
if counted and players then
  call('HSET', key_meta, 'players', '1')
end
local tops_reached = false
for t = 1, counted and periodic and #tables or 0 do
  local one = tables[t]
  if per_player and one.counted then
    call('HSET', KEYS[one.keys + 3], 'players', '1')
  end
  tops_reached = tops_reached or one.top_reached
end
if top_reached or tops_reached then
-- include: lib_top
  if top_reached then
    version = announce_top(rules, key_board, key_meta, key_channel, about(arg_board),
      counter or version, now)
    counter = counter and math.max(counter, version)
  end
  for t = 1, tops_reached and #tables or 0 do
    local one = tables[t]
    if one.top_reached then
      counter = announce_top(rules, one.board, KEYS[one.keys + 3], one.channel or KEYS[one.keys + 4],
        about(arg_board, one.period, one.number), counter, now)
    end
  end
end
if counted and counter ~= counter_kept then
  call('HSET', key_meta, 'counter', integer(counter))
end

-- Board, hidden and meta expire at the same time. That time is moved only once a sixteenth of the
-- idle time has passed, and set when a zset may just have been created.
if counted and idle > 0 then
  local expires = tonumber(meta[7]) or 0
  local renewed = expires - now < idle * 15 / 16 or joined and cut == -math.huge
  if renewed then
    expires = now + idle
    local instant = integer(expires)
    call('PEXPIREAT', key_board, instant)
    call('PEXPIREAT', key_hidden, instant)
    call('PEXPIREAT', key_meta, instant)
    if players then
      call('PEXPIREAT', key_players, instant)
    end
    call('HSET', key_meta, 'expires', instant)
  end
  for t = 1, periodic and expires > 0 and #tables or 0 do
    local one = tables[t]
    if one.counted and (renewed or one.fresh) then
      local instant = integer(expires)
      call('PEXPIREAT', one.board, instant)
      call('PEXPIREAT', KEYS[one.keys + 2], instant)
      call('PEXPIREAT', KEYS[one.keys + 3], instant)
      if one.players then
        call('PEXPIREAT', one.players, instant)
      end
    end
  end
end
return replies
