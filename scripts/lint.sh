#!/usr/bin/env bash
# Everything that can be judged without running Seam: form, layers, clippy for both targets, dependencies.
# All of it is always run; the exit status says whether something was found.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

found=()
check() { # name, command
  local name=$1; shift
  say "$name"
  "$@" </dev/null || found+=("$name")
}

advisories() { # need a database from an open network
  if ! timeout 120 cargo deny fetch db >/dev/null 2>&1; then
    echo "  not checked: the database of advisories cannot be reached from here"
    return 0
  fi
  cargo deny --log-level error check --disable-fetch advisories
}

check "Formatting (remedy: cargo fmt)" cargo fmt --all --check
check "Layers and house rules (scripts/check_layers.py)" python3 scripts/check_layers.py
check "Shell scripts" bash -n scripts/*.sh .ci/run
check "clippy: server, tools and tests" cargo clippy --quiet --release --workspace --exclude frontend --all-targets -- -D warnings
check "clippy: browser" cargo clippy --quiet --profile wasm-release -p frontend --target wasm32-unknown-unknown -- -D warnings
check "Licences, sources and duplicates of dependencies" cargo deny --log-level error check bans licenses sources
check "Advisories on dependencies" advisories

if [ ${#found[@]} -gt 0 ]; then
  printf '\n' >&2
  fail "lint found something in: $(printf '%s; ' "${found[@]}")" "Details are above."
fi
say "lint: clean"
