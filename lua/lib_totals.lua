-- What an action does to a user's total, and where a total may be. Needs lib_stamps, lib_rules.
local MAX_TOTAL = 2 ^ 50

-- The total behind the zset score `before` (false or nil: none) and an action of so many points,
-- as it is kept; nil when it would leave +-MAX_TOTAL.
local function total_after(rules, before, points)
  local operator, value = rules.operator, turned(rules, points)
-- include: lib_new_total
  if total <= MAX_TOTAL and total >= -MAX_TOTAL then
    return total
  end
end

-- The millisecond at which the total counts as reached, and the board's clock after it. The clock
-- never stands still, so that of two equal totals one is always earlier.
local function reached_after(before, total, clock, now)
  if before and before - before % 1 == total then
    return reached_ms(before), clock -- the total was reached then, not now
  end
  clock = clock < now and now or clock < STAMP_LAST_MS and clock + 1 or STAMP_LAST_MS
  return clock, clock
end
