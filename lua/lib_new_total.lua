-- What an action makes of a total: of `before`, the zset score (false or nil: none), and `value`, its points as they
-- are kept, by `operator`, it gives `had`, the total before, and `total`. Statements and no function, since
-- submit_scores would pay for each call of it.
local had, total = before and before - before % 1, value -- the floor, exactly, for a quarter of the price of a call
if operator == 'sum' then
  total = (had or 0) + value
elseif had and operator == 'best' and had > value then
  total = had
end
