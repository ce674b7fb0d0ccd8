#!/usr/bin/env bash
# Runs every test there is and closes with one line that sums all runners.
# Usage: scripts/test.sh [rust] [browser]     (default: both)
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

parts=${*:-rust browser}
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
passed=0 failed=0 skipped=0 broken=()

add() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }

scripts/build.sh || exit 1
scripts/models.sh || exit 1
# Tests of the local provider use the very files that were verified just now.
export SEAM_TEST_MODELS_DIR="$SEAM_CACHE_DIR/models"

run_rust() {
  say "Tests in Rust"
  # Inside them, nothing that this shell happens to configure.
  cargo test --release --workspace --exclude frontend --lib --bins --tests --no-fail-fast </dev/null 2>&1 | tee "$reports/cargo"
  local status=${PIPESTATUS[0]} sums
  # test result: ok. 7 passed; 0 failed; 0 ignored; …
  sums=$(sed -n 's/^test result: [^.]*\. \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored;.*/\1 \2 \3/p' "$reports/cargo" |
    awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
  # shellcheck disable=SC2086
  add $sums
  [ "$status" = 0 ] || broken+=("cargo test")
  [ "${sums%% *}" -gt 0 ] || broken+=("cargo test ran no test")
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
