-- The time by which a board opens and closes: Redis's, but never before the board's latest event, so
-- that a server whose clock is behind can't open it again. (The clock of its stamps would not do: it
-- runs ahead where totals move more often than once a millisecond.) `event` is that field of the board's
-- meta hash; one that no clock of a server can have given its id is damage, and tells nothing. Needs lib_stamps.
local function board_time(event, now)
  local at = tonumber(string.match(event or '', '^(%d+)%-%d+$')) or 0
  return at <= STAMP_LAST_MS and math.max(now, at) or now
end
