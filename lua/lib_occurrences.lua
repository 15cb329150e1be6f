-- The occurrences in which a call of submit_scores counts, and what is in their tables. A part of that script,
-- whose locals it uses, from where it knows the time. It is no function: that would be made again for each call,
-- with all that it captures.
--
-- `tables` becomes all tables of the call, `open` those that take an action now. A table is one Lua table, with
-- all its fields at once: Lua builds it anew when one does not fit, and pays for all that it makes again when it
-- collects it. Its `keys` is where its KEYS begin, its `number` that of the occurrence, as text.

-- Which they are. Of periods with latecomers `latest` has the tables by their periods, and `former` the ones
-- before.
local periods = #arg_periods - 1
local latest, former = graced and {}, graced and {}
local starts, turning -- when the first occurrence that is to come does; those that begin with this call
local mistaken, k = false, keys_end
tables, per_player = {}, limits and limits.players
keeps_count = per_player or graced -- otherwise all that are open have counted as soon as one has
counter_kept = meta[COUNTER] and whole('counter', meta[COUNTER], 0)
counter = math.max(counter_kept or 0, version)
for p = 1, periods do
  local text, name, named = meta[COUNTER + p], ARGV[args_end + 2 * p - 1], ARGV[args_end + 2 * p]
  local late = graced and string.sub(arg_periods, p + 1, p + 1) == 'g'
  local n, start, ends, period
  if text == named and not late then -- as nearly all name it, and then this is all that is asked of it
    n, start, ends = string.match(text, '^(%d+) (%d+) (%d+) ')
  end
  if not n or time >= ends + 0 then
-- include: lib_periods
    period = agreed(text, named, time)
    if period == false then
      return {COLD}
    end
    n, start = period and integer(period.n), period and period.s
  end
  if not n then
    mistaken = true
  else
    local one = {period = name, number = n, board = KEYS[k + 1], keys = k, scores = nil,
      cut = -math.huge, fresh = false, counted = not keeps_count, top_reached = false,
      open = true, move = name .. ':' .. n .. ' %d %d %d'}
    tables[#tables + 1] = one
    if period and period.turned then
      one.fresh, turning = true, turning or {}
      turning[#turning + 1] = {period = period, name = name, keys = k}
    end
    start = start + 0
    if start > time then
      one.open, one.counted, starts = false, false, math.min(starts or start, start)
    elseif graced then -- agreed on, so it has not ended
      latest[p] = one
    end
    k = k + (per_player and 5 or 4)
    if late then
      local before = period.before
      if before and time < before.f then
        local other = {period = name, number = integer(before.n), board = KEYS[k + 1], keys = k,
          channel = KEYS[one.keys + 4], cut = -math.huge, fresh = false, counted = false,
          top_reached = false, open = false, move = name .. ':' .. integer(before.n) .. ' %d %d %d'}
        tables[#tables + 1] = other
        former[p] = {s = before.s, e = before.e, table = other}
      end
      k = k + (per_player and 4 or 3)
    end
  end
end
if mistaken then
  local truth = {'!PERIOD', integer(time)}
  for p = 1, periods do
    truth[2 * p + 1], truth[2 * p + 2] = ARGV[args_end + 2 * p - 1], meta[COUNTER + p] or ''
  end
  return truth
end
if k ~= #KEYS or #ARGV ~= args_end + 2 * periods + (graced and count or 0) then
  error('submit_scores: KEYS and ARGV do not fit the periods', 0)
end
open = tables
if starts or graced then
  open = {}
  for t = 1, #tables do
    local one = tables[t]
    if one.open then
      open[#open + 1] = one
    end
  end
end

-- What is in them: `scores` by the places of the call's users, `attempts` likewise, and the `room` that is left.
-- From totals below `most`, and above `least`, no action of the call leads out of the bounds.
local most = MAX_TOTAL - count * math.max(max_points, -min_points)
local least = -most
lowest_cut, near_bounds = math.huge, most < 0
for t = 1, #tables do
  local one = tables[t]
  local table_key = KEYS[one.keys + 3]
  if per_player then
    one.players = KEYS[one.keys + (one.channel and 4 or 5)]
    one.room = limits.shared and 0 or limits.capacity
  end
  if one.fresh then
    one.scores, one.attempts = {}, {}
  else
    local state = call('HMGET', table_key, 'cut', 'hidden')
    local here = call('ZMSCORE', one.board, unpack(users))
    local there = (state[2] or concealed) and call('ZMSCORE', KEYS[one.keys + 2], unpack(users))
    local seen_here, seen_there = false, not there
    for i = 1, count do
      local score = here[i]
      if score then
        seen_here = true
        score = score + 0
        here[i] = score
        if score > most or score < least then
          near_bounds = true
        end
      end
    end
    for i = 1, there and count or 0 do
      if there[i] then
        here[i], seen_there, near_bounds = here[i] or there[i] + 0, true, true
      end
    end
    if not state[1] or not seen_here and lost(one.board, table_key, 'top', '[]')
        or not seen_there and lost(KEYS[one.keys + 2], table_key, 'hidden', false) then
      return {COLD}
    end
    one.fresh, one.cut, one.scores = not seen_here, tonumber(state[1]) or -math.huge, here
    if per_player then
      one.attempts, one.room = players_of(one.players, table_key)
      if not one.attempts then
        return {COLD}
      end
    end
  end
  lowest_cut = math.min(lowest_cut, one.cut)
end

-- The tables that take action i: those that are open, or with a latecomer, the one before in place of some.
if graced then
  local late_from, going = args_end + 2 * periods, {}
  function takers(i)
    local late = tonumber(ARGV[late_from + i])
    if not late then
      return open
    end
    if not going[i] then
      local taking = {}
      for p = 1, periods do
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
end

-- Why action i does not count; nil when it may.
local shows_all_time = string.find(arg_periods, '1', 1, true)
if per_player or not shows_all_time then
  function bar_of(i)
    local taking = graced and takers(i) or open
    if #taking == 0 and not shows_all_time then
      return starts and 'K ' .. integer(starts) or 'K'
    end
    for t = 1, per_player and #taking or 0 do
      local one = taking[t]
      local bar = barred(limits, tonumber(one.attempts[place[users[i]]]), one.room)
      if bar then
        return bar == 'F' and limits.shared and 'F ' .. one.period .. ':' .. one.number or bar
      end
    end
  end
end

-- From here on it writes.
if turning then
-- include: lib_periods
-- include: lib_top
-- include: lib_turns
  if meta[7] then
    whole('expires', meta[7], 0)
  end
  for _, one in ipairs(turning) do
    local keys = {guard = key_meta, meta = KEYS[one.keys + 3], events = key_events,
      channel = KEYS[one.keys + 4]}
    counter = turn(one.period, one.name, arg_board, keys, counter, meta[7], now)
  end
end
