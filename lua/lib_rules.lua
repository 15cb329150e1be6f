-- What a board's rules say of totals: {operator, sign, style, top}, of the text that Python makes
-- (scoreboard/domain/boards.BoardSettings.totals), which is empty for a board that sets none of them.
-- `sign` is -1 where less is better. Totals are kept negated there, so that one order, one tie stamp
-- and one set of reads serve both.
local function rules_in(text)
  if text == '' then
    return {operator = 'sum', sign = 1, style = 'ordinal', top = 10}
  end
  local operator, sign, style, top = string.match(text, '^(%a+) (%-?1) (%a+) (%d+)$')
  return {operator = operator, sign = tonumber(sign), style = style, top = tonumber(top)}
end

-- A total as it is kept, of one as people see it, and the other way round. Never -0.
local function turned(rules, total)
  return rules.sign == 1 and total or 0 - total
end
