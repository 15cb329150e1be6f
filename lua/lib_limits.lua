-- When a board takes actions and joins, and of whom. Needs lib_stamps, lib_time. In submit_scores it stands within an
-- `if`, since only boards that set limits are to pay for these closures.

-- What the text says that Python makes (scoreboard/domain/boards.BoardSettings.limits): `opens` and
-- `closes` in Unix ms, `attempts` of a user, `capacity` in users, each nil without a limit; whether users
-- have to join first, and whether `players` are kept count of. Where the capacity is `shared`, a shard has what
-- it was dealt of it (lib_shares).
local function limits_in(text)
  local opens, closes, attempts, capacity, join =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%a+)$')
  local required, shared = join == 'required', capacity == 'shared'
  attempts, capacity = tonumber(attempts), tonumber(capacity)
  return {opens = tonumber(opens), closes = tonumber(closes), attempts = attempts,
    capacity = capacity, shared = shared, required = required,
    players = attempts or capacity or shared or required}
end

-- For how many more users there is room in a table; nil: for any number.
local function room_in(limits, table_key, players_key)
  local most = limits.capacity
  if limits.shared then
    local share = redis.call('HGET', table_key, 'share')
    most = share and tonumber(string.match(share, '^%d+ %d+ (%d+)$')) or 0
  end
  return most and most - redis.call('ZCARD', players_key)
end

-- The answer outside the time in which the board is open; nil within.
local function closed_at(limits, time)
  if limits.opens and time < limits.opens then
    return 'K ' .. integer(limits.opens)
  end
  return limits.closes and time >= limits.closes and 'K' or nil
end

-- The answer to a user whom the board takes no action of, otherwise nil. `counted` are the actions
-- of the user that count, nil for one who is not in; `room` is for how many more, nil: for any number.
local function barred_by(limits, counted, room)
  if counted then
    return limits.attempts and counted >= limits.attempts and 'T' or nil
  end
  return limits.required and 'N' or room and room <= 0 and 'F' or nil
end
