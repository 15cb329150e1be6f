-- The time by which a board opens and closes: Redis's, but never before the board's latest event, so
-- that a server whose clock is behind can't open it again. (The clock of its stamps would not do: it
-- runs ahead where totals move more often than once a millisecond.)
-- `event` is that field of the board's meta hash.
local function board_time(event, now)
  return math.max(now, tonumber(string.match(event or '', '^%d+')) or 0)
end
