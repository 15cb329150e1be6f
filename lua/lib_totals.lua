-- What an action does to a user's total, and where a total may be. Needs lib_stamps.
local MAX_TOTAL = 2 ^ 50

-- The total with `points` more than in the zset score `before` (false or nil: none); nil when it
-- would leave +-MAX_TOTAL.
local function total_after(before, points)
  local total = (before and math.floor(before) or 0) + points
  if total <= MAX_TOTAL and total >= -MAX_TOTAL then
    return total
  end
end

-- The millisecond at which the total counts as reached, and the board's clock after it. The clock
-- never stands still, so that of two equal totals one is always earlier.
local function reached_after(before, points, clock, now)
  if before and points == 0 then
    return reached_ms(before), clock -- the total was reached then, not now
  end
  clock = clock < now and now or clock + 1
  return clock, clock
end
