#!/usr/bin/env bash
# Builds, seeds a demo, serves it, and does the first and the last again whenever a source changes. Ends with Ctrl-C.
# The demo lives in data/demo; the browser's program is built quickly rather than small.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

export SEAM_DATA_DIR="${SEAM_DATA_DIR:-data/demo}"
export SEAM_DEMO_PASSWORD="${SEAM_DEMO_PASSWORD:-demo password}"
export SEAM_OPERATOR_EMAIL="${SEAM_OPERATOR_EMAIL:-operator@seam.test}"
export SEAM_OPERATOR_PASSWORD="${SEAM_OPERATOR_PASSWORD:-$SEAM_DEMO_PASSWORD}"
sources=(app frontend server style public migrations tools/webbuild/src Cargo.toml demo.toml)
stamp=$(mktemp)
server=

stop() {
  [ -n "$server" ] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap 'stop; rm -f "$stamp"' EXIT
trap 'exit 0' INT TERM

serve() {
  target/release/seam apply -f demo.toml >/dev/null || { say "demo.toml was refused; the demo is as it was"; }
  target/release/seam serve &
  server=$!
  say "Sign in as ada@acme.test, grace@globex.test, linus@initech.test or $SEAM_OPERATOR_EMAIL; password: $SEAM_DEMO_PASSWORD"
}

scripts/build.sh --fast
scripts/models.sh "$SEAM_DATA_DIR"
serve
while sleep 1; do
  [ -n "$(find "${sources[@]}" -newer "$stamp" -type f -print -quit)" ] || continue
  touch "$stamp"
  if scripts/build.sh --fast; then stop; serve; else say "The old version goes on; waiting for the next change"; fi
done
