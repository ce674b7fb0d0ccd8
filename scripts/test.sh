#!/usr/bin/env bash
# Runs every test there is and closes with one line that sums all runners.
# Usage: scripts/test.sh [rust] [browser]     (default: both)
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

parts=${*:-rust browser}
reports=$(mktemp -d)
own_postgres=
trap 'rm -rf "$reports"; [ -z "$own_postgres" ] || scripts/postgres.sh stop' EXIT
passed=0 failed=0 skipped=0 broken=()

add() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }

scripts/build.sh || exit 1
scripts/models.sh || exit 1
# Tests of the local provider use the very files that were verified just now.
export SEAM_TEST_MODELS_DIR="$SEAM_CACHE_DIR/models"

# Tests of PostgreSQL have one or fail. One that is set by whoever runs this is used and left running.
start_postgres() {
  if [ -z "${SEAM_TEST_DATABASE_URL:-}" ]; then own_postgres=1; fi
  SEAM_TEST_DATABASE_URL=$(scripts/postgres.sh) || return 1
  export SEAM_TEST_DATABASE_URL
}

run_rust() {
  SEAM_TEST_SDKS=$(scripts/sdks.sh) || { broken+=("SDKs for tests"); return; }
  SEAM_TEST_UPSTREAMS=$(scripts/upstreams.sh) || { broken+=("servers for tests"); return; }
  export SEAM_TEST_SDKS SEAM_TEST_UPSTREAMS
  start_postgres || { broken+=("PostgreSQL for tests"); return; }
  run_cargo sqlite --lib --bins --tests
  # Everything that keeps data, once more on the other engine. The same selection of crates: another would compile
  # their dependencies again.
  run_cargo postgres --lib --tests
}

run_cargo() { # engine, kinds of tests
  local engine=$1; shift
  say "Tests in Rust, with data on ${engine}"
  # Inside them, nothing that this shell happens to configure.
  SEAM_TEST_ENGINE=$engine cargo test --release --workspace --exclude frontend "$@" --no-fail-fast </dev/null 2>&1 | tee "$reports/cargo"
  local status=${PIPESTATUS[0]} sums
  # test result: ok. 7 passed; 0 failed; 0 ignored; …
  sums=$(sed -n 's/^test result: [^.]*\. \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored;.*/\1 \2 \3/p' "$reports/cargo" |
    awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
  # shellcheck disable=SC2086
  add $sums
  [ "$status" = 0 ] || broken+=("cargo test, with data on $engine")
  [ "${sums%% *}" -gt 0 ] || broken+=("cargo test, with data on $engine, ran no test")
}

run_browser() {
  say "Tests in the browser"
  local sums
  (cd end2end && PLAYWRIGHT_JSON_OUTPUT_FILE="$reports/playwright.json" node_modules/.bin/playwright test </dev/null) || broken+=("Playwright")
  sums=$(node -e '
    const { stats } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    console.log(stats.expected + stats.flaky, stats.unexpected, stats.skipped);' "$reports/playwright.json" 2>/dev/null) || sums="0 0 0"
  # shellcheck disable=SC2086
  add $sums
  [ "${sums%% *}" -gt 0 ] || broken+=("Playwright ran no test")
}

for part in $parts; do
  case "$part" in
    rust) run_rust ;;
    browser) run_browser ;;
    *) fail "Unknown part: $part" "Parts are: rust, browser." ;;
  esac
done

printf '\n'
[ ${#broken[@]} -eq 0 ] || printf '✗ %s\n' "${broken[@]}" >&2
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ ${#broken[@]} -eq 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
