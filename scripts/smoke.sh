# Read by the scripts that try a finished program: servers from `scoreboard up` in .venv, a role
# against them, a score posted. Whoever reads this sets a trap that calls end_all.

servers='' service='' port=''
settings=() # of the roles, as words of `env`

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# Runs a command until it succeeds: wait_for WHAT LOG COMMAND...
wait_for() {
  local what=$1 log=$2
  shift 2
  for _ in $(seq 300); do
    ! ("$@") 2>/dev/null || return 0
    sleep 0.1
  done
  cat "$log"
  fail "$what: not within 30 s"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Starts Redis and Postgres below a folder and names them in `settings`.
start_servers() {
  local folder=$1
  .venv/bin/scoreboard up --port 0 --data-dir "$folder/servers" >"$folder/up.log" 2>&1 &
  servers=$!
  wait_for "scoreboard up" "$folder/up.log" test -e "$folder/servers/run.json"
  port=$(free_port)
  mapfile -t settings < <(
    python3 - "$folder/servers/run.json" "$port" <<'PYTHON'
import json, secrets, sys

run = json.load(open(sys.argv[1]))
print(f"SCOREBOARD_REDIS_URL={run['redis_url']}")
print(f"SCOREBOARD_DATABASE_URL={run['database_url']}")
print(f"SCOREBOARD_MIGRATION_URL={run['migration_url']}")
print("SCOREBOARD_JWT_KEYS=" + json.dumps({"check": secrets.token_hex(32)}))
print(f"SCOREBOARD_PORT={sys.argv[2]}")
PYTHON
  )
}

# Posts an action of a new user to the service on `port` with a token, and looks at the answer.
post_a_score() {
  python3 - "http://127.0.0.1:$port/api/score" "$1" <<'PYTHON'
import json, secrets, sys, urllib.request

url, token = sys.argv[1:]
action = {"userId": secrets.token_hex(8), "actionId": "check", "points": 15}
request = urllib.request.Request(url, json.dumps(action).encode())
request.add_header("Authorization", f"Bearer {token}")
request.add_header("Content-Type", "application/json")
answer = json.load(urllib.request.urlopen(request, timeout=10))
assert answer["score"] == 15, answer
PYTHON
}

end_service() {
  kill -TERM "$service"
  wait "$service" || fail "the role ended with code $? after SIGTERM"
  service=''
}

end_all() {
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  [ -z "$servers" ] || { kill "$servers" 2>/dev/null && wait "$servers"; } || true
}
