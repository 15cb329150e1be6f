-- The user's ranks now, where the moves that a receipt remembers were made; nil when there were none. A part of
-- submit_scores, whose locals it uses.
local function ranks_in(moves, user)
  local ranks
  for name in string.gmatch(moves, '([^;]+:%d+) ') do
    local rank
    for t = 1, #tables do
      local one = tables[t]
      local named = one.period .. ':' .. one.number == name
      if named and plain then
        local above = call('ZREVRANK', one.board, user)
        rank = above and above + 1
      elseif named then
        rank = ranked(rules, one.board, user)
      end
    end
    ranks = (ranks and ranks .. ' ' or '') .. (rank and integer(rank) or '-')
  end
  return ranks
end
