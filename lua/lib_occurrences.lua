-- What a call of submit_scores does in the occurrences of its board's periods. A part of that script, whose
-- locals it uses, and within an `if` like lib_limits; it needs that, lib_periods and lib_lost.
--
-- What it makes for a table it makes once for the call, with all its fields at once: Lua builds a table anew
-- when a field does not fit, and pays for all that it makes again when it collects it.

local function occurrences_of(time)
  local number, flags = #arg_periods - 1, string.sub(arg_periods, 2)
  local per_player = limits and limits.players
  local graced = string.find(flags, 'g', 1, true)
  local late_from = graced and args_end + 2 * number
  local shows_all_time = string.sub(arg_periods, 1, 1) == '1'

  -- The tables of the call: `tables` has all, `open` those that take actions now; of periods with latecomers
  -- `latest` has the same by their periods, and `former` the ones before. A table's `keys` is where its KEYS
  -- begin.
  local tables, open, starts, mistaken = {}, {}, nil, false
  local latest, former = graced and {}, graced and {}
  local counter = meta[COUNTER] and whole('counter', meta[COUNTER], 0) or 0
  local periods = {counter = math.max(counter, version)}
  local k = keys_end
  for p = 1, number do
    local text, name = meta[COUNTER + p], ARGV[args_end + 2 * p - 1]
    local late = graced and string.sub(flags, p, p) == 'g'
    local named = ARGV[args_end + 2 * p]
    local n, start, ends, period
    if text == named and not late then -- as nearly all name it, and then this is all that is asked of it
      n, start, ends = string.match(text, '^(%d+) (%d+) (%d+) ')
      start = tonumber(start)
    end
    if not n or time >= tonumber(ends) then
      period = agreed(text, named, time)
      if period == false then
        return nil, {COLD}
      end
      n, start = period and integer(period.n), period and period.s
    end
    if not n then
      mistaken = true
    else
      local one = {name = name .. ':' .. n, board = KEYS[k + 1], keys = k, scores = nil,
        cut = -math.huge, fresh = false, counted = false, top_reached = false}
      tables[#tables + 1] = one
      if period and period.turned then
        one.fresh = true
        periods.turning = periods.turning or {}
        table.insert(periods.turning, {period = period, name = name, keys = k})
      end
      if start <= time then -- agreed on, so it has not ended
        open[#open + 1] = one
        if graced then
          latest[p] = one
        end
      else
        starts = math.min(starts or start, start)
      end
      k = k + (per_player and 5 or 4)
      if late then
        local before = period.before
        if before and time < before.f then
          local other = {name = name .. ':' .. integer(before.n), board = KEYS[k + 1], keys = k,
            channel = KEYS[one.keys + 4], cut = -math.huge, fresh = false, counted = false,
            top_reached = false}
          tables[#tables + 1] = other
          former[p] = {s = before.s, e = before.e, table = other}
        end
        k = k + (per_player and 4 or 3)
      end
    end
  end
  if mistaken then
    local truth = {'!PERIOD', integer(time)}
    for p = 1, number do
      truth[2 * p + 1], truth[2 * p + 2] = ARGV[args_end + 2 * p - 1], meta[COUNTER + p] or ''
    end
    return nil, truth
  end
  if k ~= #KEYS or #ARGV ~= args_end + 2 * number + (late_from and count or 0) then
    error('submit_scores: KEYS and ARGV do not fit the periods', 0)
  end

  -- Reads.
  for t = 1, #tables do
    local one = tables[t]
    local hidden_key, meta_key = KEYS[one.keys + 2], KEYS[one.keys + 3]
    if per_player then
      one.players = KEYS[one.keys + (one.channel and 4 or 5)]
      one.room = limits.shared and 0 or limits.capacity
    end
    if one.fresh then
      one.scores, one.attempts = {}, {}
    else
      local state = call('HMGET', meta_key, 'cut', 'hidden')
      local here = call('ZMSCORE', one.board, unpack(users))
      local there = (state[2] or concealed) and call('ZMSCORE', hidden_key, unpack(users))
      local seen_here, seen_there = false, not there
      for i = 1, count do
        seen_here = seen_here or here[i]
        seen_there = seen_there or there[i]
        local text = here[i] or there and there[i]
        here[i] = text and text + 0 -- a number, without the price of a call
      end
      if not state[1] or not seen_here and lost(one.board, meta_key, 'top', '[]')
          or not seen_there and lost(hidden_key, meta_key, 'hidden', false) then
        return nil, {COLD}
      end
      one.fresh, one.cut, one.scores = not seen_here, tonumber(state[1]) or -math.huge, here
      if per_player then
        one.attempts, one.room = players_of(one.players, meta_key)
        if not one.attempts then
          return nil, {COLD}
        end
      end
    end
  end

  -- The tables that take action i: those that are open, or with a latecomer, the one before in place
  -- of some. What `fits` and `count` need of them stands in `totals`, by their places.
  local totals, going, format = {}, graced and {}, string.format
  local function takers(i)
    local late = tonumber(ARGV[late_from + i])
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
      local taking = graced and takers(i) or open
      if #taking == 0 and not shows_all_time then
        return starts and 'K ' .. integer(starts) or 'K'
      end
      for t = 1, per_player and #taking or 0 do
        local bar = barred(limits, tonumber(taking[t].attempts[place[users[i]]]), taking[t].room)
        if bar then
          return bar == 'F' and limits.shared and 'F ' .. taking[t].name or bar
        end
      end
    end
  end

  -- Whether no total leaves its bounds by action i. Comes before `count`.
  function periods.fits(i, at)
    local taking, change = graced and takers(i) or open, changes[i]
    for t = 1, #taking do
      local total = total_after(rules, taking[t].scores[at], change)
      if not total then
        return false
      end
      totals[t] = total
    end
    return true
  end

  -- Counts action i of a user: `tick` is when the all-time total was reached, if it is another now. Returns
  -- the text of its moves and the user's ranks after them (nil: none), and the board's clock.
  function periods.count(i, at, user, hidden, tick, ticks)
    local moves, ranks, taking = nil, nil, graced and takers(i) or open
    for t = 1, #taking do
      local one, total = taking[t], totals[t]
      local before, board, reached = one.scores[at], one.board, tick
      local previous = before and before - before % 1
      if total == previous then
        reached = reached_ms(before) -- then, and not now
      else
        if not tick then
          tick, ticks = reached_after(nil, total, ticks, now)
          reached = tick
        end
        local after = stamp(total, reached)
        if hidden then
          call('ZADD', KEYS[one.keys + 2], after, user)
          call('HSET', KEYS[one.keys + 3], 'hidden', '1')
        else
          call('ZADD', board, after, user)
          local cut = one.cut
          if after >= cut or before and before >= cut then
            one.top_reached = true
          end
          if note then
            note(one.name, user, before, after)
          end
        end
        one.scores[at] = after
      end
      if per_player then
        local attempts = tonumber(one.attempts[at])
        call('ZINCRBY', one.players, 1, user)
        one.room = one.room and not attempts and one.room - 1 or one.room
        one.attempts[at] = (attempts or 0) + 1
      end
      one.counted = true
      local rank = hidden and '-' or format('%d', plain and call('ZREVRANK', board, user) + 1
        or ranked(rules, board, user))
      local move = previous and format(' %d %d %d', total, reached, previous)
        or format(' %d %d -', total, reached)
      if t == 1 then
        moves, ranks = one.name .. move, rank
      else
        moves, ranks = moves .. ';' .. one.name .. move, ranks .. ' ' .. rank
      end
    end
    return moves, ranks, ticks
  end

  -- The user's ranks now, where the moves that a receipt remembers were made.
  function periods.ranks(moves, user)
    local ranks
    for name in string.gmatch(moves, '([^;]+:%d+) ') do
      local rank
      for t = 1, #tables do
        if tables[t].name == name and plain then
          local above = call('ZREVRANK', tables[t].board, user)
          rank = above and above + 1
        elseif tables[t].name == name then
          rank = ranked(rules, tables[t].board, user)
        end
      end
      ranks = (ranks and ranks .. ' ' or '') .. (rank and integer(rank) or '-')
    end
    return ranks
  end

  -- Tells clients of new tops.
  function periods.announce()
    for t = 1, #tables do
      local one = tables[t]
      local meta_key = KEYS[one.keys + 3]
      if one.counted and per_player then
        call('HSET', meta_key, 'players', '1')
      end
      if one.top_reached then
        periods.counter = announce_top(rules, one.board, meta_key, one.channel or KEYS[one.keys + 4],
          about(arg_board, string.match(one.name, '^([^:]+):(%d+)$')), periods.counter, now)
      end
    end
    if periods.counter ~= tonumber(meta[COUNTER]) then
      call('HSET', key_meta, 'counter', integer(periods.counter))
    end
  end

  -- The keys that this call may have made, or all that it changed, expire at that time.
  function periods.expire(instant, only_fresh)
    for t = 1, #tables do
      local one = tables[t]
      if one.counted and (one.fresh or not only_fresh) then
        call('PEXPIREAT', one.board, instant)
        call('PEXPIREAT', KEYS[one.keys + 2], instant)
        call('PEXPIREAT', KEYS[one.keys + 3], instant)
        if per_player then
          call('PEXPIREAT', one.players, instant)
        end
      end
    end
  end

  return periods
end
