-- What a decision about an action does to a user's total in a table, for all tables alike. Needs
-- lib_stamps, lib_tables.

-- Where the table has the user: the key of the zset, and the score there; the score is nil for a user who
-- is not in the table.
local function home_of(one, user)
  local shown = tonumber(redis.call('ZSCORE', one.board, user))
  local hidden = not shown and tonumber(redis.call('ZSCORE', one.hidden, user))
  if hidden then
    return one.hidden, hidden
  end
  return one.board, shown
end

-- The text of the moves in occurrences (wire/moves.py), of tables with `total`, `reached` and `before`.
local function moves_in(tables)
  local moves = {}
  for _, one in ipairs(tables) do
    if one.name and one.moved then
      moves[#moves + 1] = one.name .. ' ' .. (one.total and integer(one.total) or '-') .. ' '
        .. (one.reached and integer(one.reached) or '-') .. ' '
        .. (one.before and integer(math.floor(one.before)) or '-')
    end
  end
  return table.concat(moves, ';')
end
