-- What a call of submit_scores does in the occurrences of its board's periods. A part of that script, whose
-- locals it uses, and within an `if` like lib_limits; it needs that, lib_periods and lib_lost.
--
-- What it makes for a table it makes once for the call, with all its fields at once: Lua builds a table anew
-- when a field does not fit, and pays for all that it makes again when it collects it.

local function occurrences_of(time)
  local number, flags = #arg_periods - 1, string.sub(arg_periods, 2)
  local per_player = limits and limits.players
  local late_from = string.find(flags, 'g', 1, true) and args_end + 2 * number
  local shows_all_time = string.sub(arg_periods, 1, 1) == '1'

  -- What the board knows and the caller named.
  local fields = {'counter'}
  for p = 1, number do
    fields[p + 1] = 'period:' .. ARGV[args_end + 2 * p - 1]
  end
  local texts, agreement, mistaken = call('HMGET', key_meta, unpack(fields)), {}, false
  for p = 1, number do
    agreement[p] = agreed(texts[p + 1], ARGV[args_end + 2 * p], time)
    mistaken = mistaken or not agreement[p]
  end
  if mistaken then
    local truth = {'!PERIOD', integer(time)}
    for p = 1, number do
      truth[2 * p + 1], truth[2 * p + 2] = ARGV[args_end + 2 * p - 1], texts[p + 1] or ''
    end
    return nil, truth
  end

  -- The tables of the call: `tables` has all, `open` those that take actions now, `latest` the same by their
  -- periods, and `former` the ones before that take latecomers.
  local tables, open, latest, former, starts = {}, {}, {}, {}, nil
  local periods = {counter = math.max(tonumber(texts[1]) or 0, version)}
  local k = keys_end
  for p = 1, number do
    local period, name = agreement[p], ARGV[args_end + 2 * p - 1]
    local one = {name = name .. ':' .. integer(period.n), board = KEYS[k + 1], hidden = KEYS[k + 2],
      meta = KEYS[k + 3], channel = KEYS[k + 4], players = per_player and KEYS[k + 5],
      turned = period.turned and period, cut = -math.huge, fresh = period.turned,
      scores = nil, attempts = nil, room = per_player and limits.capacity, counted = false,
      top_reached = false}
    k = k + (per_player and 5 or 4)
    tables[#tables + 1] = one
    if period.turned then
      periods.turning = periods.turning or {}
      table.insert(periods.turning, one)
    end
    if period.s <= time then -- agreed on, so it has not ended
      latest[p], open[#open + 1] = one, one
    else
      starts = math.min(starts or period.s, period.s)
    end
    if string.sub(flags, p, p) == 'g' then
      local before = period.before
      if before and time < before.f then
        local other = {name = name .. ':' .. integer(before.n), board = KEYS[k + 1],
          hidden = KEYS[k + 2], meta = KEYS[k + 3], channel = one.channel,
          players = per_player and KEYS[k + 4], cut = -math.huge, fresh = false, scores = nil,
          attempts = nil, room = one.room, counted = false, top_reached = false}
        tables[#tables + 1] = other
        former[p] = {s = before.s, e = before.e, table = other}
      end
      k = k + (per_player and 4 or 3)
    end
  end
  if k ~= #KEYS or #ARGV ~= args_end + 2 * number + (late_from and count or 0) then
    error('submit_scores: KEYS and ARGV do not fit the periods', 0)
  end

  -- Reads.
  for t = 1, #tables do
    local one = tables[t]
    if one.fresh then
      one.scores, one.attempts = {}, {}
    else
      local state = call('HMGET', one.meta, 'version', 'cut', 'hidden')
      local here = call('ZMSCORE', one.board, unpack(users))
      local there = state[3] and call('ZMSCORE', one.hidden, unpack(users))
      local seen_here, seen_there = false, not there
      for i = 1, count do
        seen_here = seen_here or here[i]
        seen_there = seen_there or there[i]
        here[i] = tonumber(here[i] or there and there[i])
      end
      if not state[1] or not seen_here and lost(one.board, one.meta, 'top', '[]')
          or not seen_there and lost(one.hidden, one.meta, 'hidden', false) then
        return nil, {COLD}
      end
      one.fresh, one.cut, one.scores = not seen_here, tonumber(state[2]) or -math.huge, here
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
  local totals, going = {}, {}
  local function takers(i)
    local late = late_from and tonumber(ARGV[late_from + i])
    if not late then
      return open
    end
    if not going[i] then
      local taking = {}
      for p = 1, number do
        local before = former[p]
        if before and before.s <= late and late < before.e then
          taking[#taking + 1] = before.table
        elseif latest[p] then
          taking[#taking + 1] = latest[p]
        end
      end
      going[i] = taking
    end
    return going[i]
  end

  -- Why action i does not count; nil when it may.
  if per_player or not shows_all_time then
    function periods.bar(i)
      local taking = takers(i)
      if #taking == 0 and not shows_all_time then
        return starts and 'K ' .. integer(starts) or 'K'
      end
      for t = 1, per_player and #taking or 0 do
        local bar = barred(limits, tonumber(taking[t].attempts[place[users[i]]]), taking[t].room)
        if bar then
          return bar
        end
      end
    end
  end

  -- Whether no total leaves its bounds by action i. Comes before `count`.
  function periods.fits(i)
    local taking, at = takers(i), place[users[i]]
    for t = 1, #taking do
      totals[t] = total_after(rules, taking[t].scores[at], changes[i])
      if not totals[t] then
        return false
      end
    end
    return true
  end

  -- Counts action i: `tick` is when the all-time total was reached, if it is another now. Returns the text
  -- of its moves, the user's ranks after them, and the board's clock.
  function periods.count(i, hidden, tick, ticks)
    local moves, ranks, user, taking = '', '', users[i], takers(i)
    local at = place[user]
    for t = 1, #taking do
      local one, total = taking[t], totals[t]
      local before, reached = one.scores[at], tick
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
        one.scores[at] = after
        one.top_reached = one.top_reached
          or not hidden and (after >= one.cut or before ~= nil and before >= one.cut)
      end
      if per_player then
        local attempts = tonumber(one.attempts[at])
        call('ZINCRBY', one.players, 1, user)
        one.room = one.room and not attempts and one.room - 1 or one.room
        one.attempts[at] = (attempts or 0) + 1
      end
      one.counted = true
      local rank = not hidden and ranked(rules, one.board, user)
      moves = moves .. (t > 1 and ';' or '') .. one.name .. (previous
        and string.format(' %d %d %d', total, reached, previous)
        or string.format(' %d %d -', total, reached))
      ranks = ranks .. (rank and integer(rank) or '-') .. ' '
    end
    return moves, ranks, ticks
  end

  -- The user's ranks now, where the moves that a receipt remembers were made.
  function periods.ranks(moves, user)
    local ranks = ''
    for name in string.gmatch(moves, '([^;]+:%d+) ') do
      local rank
      for t = 1, #tables do
        rank = rank or tables[t].name == name and ranked(rules, tables[t].board, user)
      end
      ranks = ranks .. (rank and integer(rank) or '-') .. ' '
    end
    return ranks
  end

  -- Tells clients of new tops.
  function periods.announce()
    for t = 1, #tables do
      local one = tables[t]
      if one.counted and per_player then
        call('HSET', one.meta, 'players', '1')
      end
      if one.top_reached then
        periods.counter = announce_top(rules, one.board, one.meta, one.channel,
          about(arg_board, string.match(one.name, '^([^:]+):(%d+)$')), periods.counter, now)
      end
    end
    if periods.counter ~= tonumber(texts[1]) then
      call('HSET', key_meta, 'counter', integer(periods.counter))
    end
  end

  -- The keys that this call may have made, or all that it changed, expire at that time.
  function periods.expire(instant, only_fresh)
    for t = 1, #tables do
      local one = tables[t]
      if one.counted and (one.fresh or not only_fresh) then
        call('PEXPIREAT', one.board, instant)
        call('PEXPIREAT', one.hidden, instant)
        call('PEXPIREAT', one.meta, instant)
        if per_player then
          call('PEXPIREAT', one.players, instant)
        end
      end
    end
  end

  return periods
end
