#!/usr/bin/env bash
# Makes the folder secrets/ with what compose.yaml and the Kubernetes manifests need, from random
# passwords. An argument names another folder; REDIS_HOST and POSTGRES_HOST other servers. What is there
# is kept.
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-secrets}
[ ! -e "$folder" ] || { echo "$folder is there already; nothing was changed"; exit 0; }
redis=${REDIS_HOST:-valkey}:6379 postgres=${POSTGRES_HOST:-postgres}:5432

password() { openssl rand -hex 24; }
hash() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
admin=$(password) service=$(password) owner=$(password) role=$(password)

# Only you can enter the folder. The files themselves can be read by all: containers get each one
# that they need, and read it as users of their own.
draft=$(mktemp -d "$folder.XXXXXX")
put() { cat >"$draft/$1" && chmod 644 "$draft/$1"; }
put redis_url <<<"redis://scoreboard:$service@$redis/0"
put redis_admin_password <<<"$admin"
put database_url <<<"postgresql://scoreboard:$role@$postgres/scoreboard"
put migration_url <<<"postgresql://scoreboard_owner:$owner@$postgres/scoreboard"
put jwt_keys <<<"$(date +%Y-%m)=$(openssl rand -hex 32)"
put postgres_password <<<"$(password)"
put roles.sql <<<"ALTER ROLE scoreboard PASSWORD '$role'; ALTER ROLE scoreboard_owner PASSWORD '$owner';"
sed -e "/^user default /s/ off / on #$(hash "$admin") /" \
    -e "/^user scoreboard /s/ off / on #$(hash "$service") /" ../users.acl | put users.acl
mv "$draft" "$folder"
echo "made $folder"
