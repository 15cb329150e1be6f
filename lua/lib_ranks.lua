-- The rank of a user, from 1; nil for one who is not there. Needs lib_stamps, lib_rules. In the style
-- `ordinal` nobody shares a rank; in `standard` those with equal totals have that of the first of them
-- (1, 2, 2, 4). Higher totals are at least 1 higher, while stamps add less than 1.
local function rank_of(rules, board_key, user)
  local first = user
  if rules.style == 'standard' then
    local stamped = redis.call('ZSCORE', board_key, user)
    if not stamped then
      return nil
    end
    first = redis.call('ZRANGE', board_key, '(' .. integer(math.floor(tonumber(stamped)) + 1), '-inf',
      'BYSCORE', 'REV', 'LIMIT', 0, 1)[1]
  end
  local above = redis.call('ZREVRANK', board_key, first)
  return above and above + 1
end
