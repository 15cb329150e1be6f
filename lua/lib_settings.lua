-- The rules of totals of a board, of the text of its settings, its periods, its capacity and shards, and whether the
-- players of its own table are kept count of, or those of its occurrences (`table_players`). Needs
-- lib_rules. submit_scores gets them ready instead, since decoding costs it more than the rest of its
-- arguments.
local function rules_of(settings)
  local rules = rules_in('')
  if settings and settings ~= '{}' then
    local given = cjson.decode(settings)
    rules.operator = given.operator or rules.operator
    rules.sign = given.order == 'asc' and -1 or 1
    rules.style = given.rankStyle or rules.style
    rules.top = given.topSize or rules.top
    local players = given.attempts or given.capacity or given.join
    rules.capacity, rules.shards = given.capacity, given.shards
    rules.periods = given.periods
    if given.periods and given.periods[1] then
      rules.table_players = players
    else
      rules.players = players
    end
  end
  return rules
end
