-- What a call of submit_scores does in the occurrences of its board's periods. A part of that script, whose
-- locals it uses, and within an `if` like lib_limits; it needs that, lib_periods and lib_lost.

local function occurrences_of(time)
  local number, flags = #arg_periods - 1, string.sub(arg_periods, 2)
  local per_player = limits and limits.players
  local late_from = string.find(flags, 'g', 1, true) and args_end + 2 * number
  local tables, by_name, going, starts = {}, {}, {}, nil

  -- The tables of the call, by what the board knows and the caller named.
  local fields = {'counter'}
  for p = 1, number do
    fields[p + 1] = 'period:' .. ARGV[args_end + 2 * p - 1]
  end
  local texts, agreement, truth = call('HMGET', key_meta, unpack(fields)), {}, {'!PERIOD', integer(time)}
  local mistaken = false
  for p = 1, number do
    agreement[p] = agreed(period_of(texts[p + 1]), ARGV[args_end + 2 * p], time)
    mistaken = mistaken or not agreement[p]
    truth[2 * p + 1], truth[2 * p + 2] = ARGV[args_end + 2 * p - 1], texts[p + 1] or ''
  end
  if mistaken then
    return nil, truth
  end

  local k = keys_end
  local function table_at(period, name, fresh)
    local n = integer(period.n)
    local one = {period = name, n = n, name = name .. ':' .. n, label = name .. ' ' .. n .. ' ',
      board = KEYS[k + 1], hidden = KEYS[k + 2], meta = KEYS[k + 3], fresh = fresh, stamps = {},
      attempts = {}, cut = -math.huge, s = period.s, e = period.e}
    k = k + 3
    return one
  end
  for p = 1, number do
    local period, name = agreement[p], ARGV[args_end + 2 * p - 1]
    local one = table_at(period, name, period.turned)
    one.turned, k = period.turned and period, k + 1
    one.channel = KEYS[k]
    if per_player then
      k = k + 1
      one.players = KEYS[k]
    end
    tables[#tables + 1] = one
    if string.sub(flags, p, p) == 'g' then
      local before = period.before
      local former = table_at(before or {n = 0, s = 0, e = 0}, name, false)
      former.channel = one.channel
      if per_player then
        k = k + 1
        former.players = KEYS[k]
      end
      if before and time < before.f then
        one.former, tables[#tables + 1] = former, former
      end
    end
    if period.s > time then
      starts = math.min(starts or period.s, period.s)
    end
  end
  if k ~= #KEYS or #ARGV ~= args_end + 2 * number + (late_from and count or 0) then
    error('submit_scores: KEYS and ARGV do not fit the periods', 0)
  end

  -- Reads.
  for _, one in ipairs(tables) do
    by_name[one.name] = one
    one.room = per_player and limits.capacity
    if not one.fresh then
      local state = call('HMGET', one.meta, 'version', 'cut', 'hidden')
      local here = call('ZMSCORE', one.board, unpack(users))
      local there = state[3] and call('ZMSCORE', one.hidden, unpack(users))
      local seen_here, seen_there = false, not there
      for i = 1, count do
        one.stamps[users[i]] = tonumber(here[i] or there and there[i])
        seen_here = seen_here or here[i]
        seen_there = seen_there or there[i]
      end
      if not state[1] or not seen_here and lost(one.board, one.meta, 'top', '[]')
          or not seen_there and lost(one.hidden, one.meta, 'hidden', false) then
        return nil, {COLD}
      end
      one.fresh, one.cut = not seen_here, tonumber(state[2]) or -math.huge
      if per_player then
        one.attempts, one.room = players_of(one.players, one.meta)
        if not one.attempts then
          return nil, {COLD}
        end
      end
    end
  end

  -- The tables that take action i: those that are open, or with a latecomer, the one before in place
  -- of some. What `fits` and `count` need of them stands in `totals`, by their places.
  local open, totals = {}, {}
  for t = 1, #tables do
    local one = tables[t]
    if one.s <= time and time < one.e then
      open[#open + 1] = one
    end
  end
  local function takers(i)
    local late = late_from and tonumber(ARGV[late_from + i])
    if not late then
      return open
    end
    if not going[i] then
      local taking = {}
      for t = 1, #tables do
        local one, former = tables[t], tables[t].former
        if former and former.s <= late and late < former.e then
          taking[#taking + 1] = former
        elseif one.s <= time and time < one.e then
          taking[#taking + 1] = one
        end
      end
      going[i] = taking
    end
    return going[i]
  end

  local shows_all_time = string.sub(arg_periods, 1, 1) == '1'
  local periods = {counter = math.max(tonumber(texts[1]) or 0, version),
    bars = per_player or not shows_all_time}

  -- Opens the occurrences that begin with this call.
  function periods.open()
    for t = 1, #tables do
      local one = tables[t]
      if one.turned then
        local keys = {guard = key_meta, meta = one.meta, events = key_events, channel = one.channel}
        periods.counter =
          turn(one.turned, one.period, arg_board, keys, periods.counter, meta[7], now)
      end
    end
  end

  -- Why action i does not count; nil when it may, as where not `bars`.
  function periods.bar(i)
    local taking = takers(i)
    if #taking == 0 and not shows_all_time then
      return starts and 'K ' .. integer(starts) or 'K'
    end
    for t = 1, per_player and #taking or 0 do
      local bar = barred(limits, taking[t].attempts[users[i]], taking[t].room)
      if bar then
        return bar
      end
    end
  end

  -- Whether no total leaves its bounds by action i. Comes before `count`.
  function periods.fits(i)
    local taking = takers(i)
    for t = 1, #taking do
      totals[t] = total_after(rules, taking[t].stamps[users[i]], changes[i])
      if not totals[t] then
        return false
      end
    end
    return true
  end

  -- Counts action i: `tick` is when the all-time total was reached, if it is another now. Returns the text
  -- of its moves, the part of the reply that tells of them, and the board's clock.
  function periods.count(i, hidden, tick, ticks)
    local moves, told, user, taking = '', '', users[i], takers(i)
    for t = 1, #taking do
      local one, total = taking[t], totals[t]
      local before, reached = one.stamps[user], tick
      local previous = before and math.floor(before)
      if total == previous then
        reached = reached_ms(before) -- then, and not now
      else
        if not tick then
          tick, ticks = reached_after(nil, total, ticks, now)
          reached = tick
        end
        local after = stamp(total, reached)
        call('ZADD', hidden and one.hidden or one.board, after, user)
        if hidden then
          call('HSET', one.meta, 'hidden', '1')
        elseif note then
          note(one.name, user, before, after)
        end
        one.stamps[user] = after
        one.reached = one.reached
          or not hidden and (after >= one.cut or before ~= nil and before >= one.cut)
      end
      if per_player then
        call('ZINCRBY', one.players, 1, user)
        one.room = one.room and not one.attempts[user] and one.room - 1 or one.room
        one.attempts[user] = (one.attempts[user] or 0) + 1
      end
      one.counted = true
      local score, rank = integer(total), not hidden and ranked(rules, one.board, user)
      moves = moves .. (t > 1 and ';' or '') .. one.name .. ' ' .. score .. ' ' .. integer(reached)
        .. ' ' .. (previous and integer(previous) or '-')
      told = told .. '|' .. one.label .. seen(score) .. ' ' .. (rank and integer(rank) or '-')
        .. (total == previous and ' 0' or ' 1')
    end
    return moves, told, ticks
  end

  -- The part of a reply that tells of the moves of an action that a receipt remembers.
  function periods.told(moves, user)
    local text = ''
    for period, n, score, previous in string.gmatch(moves, '([^;:]+):(%d+) (%S+) %S+ ([^;]+)') do
      local one = by_name[period .. ':' .. n]
      local rank = one and ranked(rules, one.board, user)
      text = text .. '|' .. period .. ' ' .. n .. ' ' .. seen(score) .. ' '
        .. (rank and integer(rank) or '-') .. (previous == score and ' 0' or ' 1')
    end
    return text
  end

  -- Tells clients of new tops.
  function periods.announce()
    for t = 1, #tables do
      local one = tables[t]
      if one.counted and per_player then
        call('HSET', one.meta, 'players', '1')
      end
      if one.reached then
        periods.counter = announce_top(rules, one.board, one.meta, one.channel,
          about(arg_board, one.period, one.n), periods.counter, now)
      end
    end
    call('HSET', key_meta, 'counter', integer(periods.counter))
  end

  -- The keys that this call may have made, or all that it changed, expire at that time.
  function periods.expire(instant, only_fresh)
    for _, one in ipairs(tables) do
      if one.counted and (one.fresh or not only_fresh) then
        for _, key in ipairs({one.board, one.hidden, one.meta, one.players}) do
          call('PEXPIREAT', key, instant)
        end
      end
    end
  end

  return periods
end
