-- What an action does to a user's total, and where a total may be. Needs lib_stamps, lib_rules.
local MAX_TOTAL = 2 ^ 50

-- The total behind the zset score `before` (false or nil: none) and an action of so many points,
-- as it is kept; nil when it would leave +-MAX_TOTAL.
local function total_after(rules, before, points)
  local total = before and before - before % 1 -- its floor, exactly, for a quarter of the price of a call
  local value = rules.sign == 1 and points or 0 - points
  if rules.operator == 'sum' then
    total = (total or 0) + value
  elseif rules.operator == 'last' or not total or value > total then
    total = value
  end
  if total <= MAX_TOTAL and total >= -MAX_TOTAL then
    return total
  end
end

-- The millisecond at which the total counts as reached, and the board's clock after it. The clock
-- never stands still, so that of two equal totals one is always earlier.
local function reached_after(before, total, clock, now)
  if before and math.floor(before) == total then
    return reached_ms(before), clock -- the total was reached then, not now
  end
  clock = clock < now and now or math.min(clock + 1, STAMP_LAST_MS)
  return clock, clock
end
