#!/usr/bin/env bash
# All benchmarks, one table each; docs/performance.md says what they mean. Wants an otherwise idle machine.
# Usage: scripts/bench.sh [server] [gateway] [tenants] [model]     (default: all)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

failed=()
for part in ${*:-server gateway tenants model}; do
  case "$part" in
    server) say "The web server, from outside"; node scripts/bench_server.mjs || failed+=("server") ;;
    gateway)
      say "The gateway, against asking the same provider directly"
      cargo build --release --quiet -p gatebench && "$CARGO_TARGET_DIR/release/gatebench" target/dist/seam || failed+=("gateway") ;;
    tenants) say "Many tenants in one process, from outside"; python3 scripts/bench_tenants.py || failed+=("tenants") ;;
    model) say "The local model against llama.cpp itself"; scripts/bench-llama.sh || failed+=("model") ;;
    *) fail "Unknown benchmark: $part" "Known are: server, gateway, tenants, model." ;;
  esac
done
[ ${#failed[@]} -eq 0 ] || fail "Below the goal: ${failed[*]}" "The lines above say by how much. Was the machine idle?"
