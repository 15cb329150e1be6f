-- Runs a command to find out whether the service's user may; fails, naming it, when that is not so. Redis
-- looks at rights first, so what is refused for another reason would be allowed.
local function try(command, ...)
  local reply = redis.pcall(command, ...)
  local problem = type(reply) == 'table' and reply.err
  if problem and (string.find(problem, 'ACL failure', 1, true) -- Valkey, as NOPERM or ERR
      or string.find(problem, 'The user executing the script', 1, true)) then -- Redis 7.0, as ERR
    error({err = 'NOPERM in a script, ' .. command .. ': ' .. problem})
  end
end
