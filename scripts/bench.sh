#!/usr/bin/env bash
# All benchmarks, one table each; docs/performance.md says what they mean. Wants an otherwise idle machine.
# Usage: scripts/bench.sh [server] [model]     (default: both)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

failed=()
for part in ${*:-server model}; do
  case "$part" in
    server) say "The web server, from outside"; node scripts/bench_server.mjs || failed+=("server") ;;
    model) say "The local model against llama.cpp itself"; scripts/bench-llama.sh || failed+=("model") ;;
    *) fail "Unknown benchmark: $part" "Known are: server, model." ;;
  esac
done
[ ${#failed[@]} -eq 0 ] || fail "Below the goal: ${failed[*]}" "The lines above say by how much. Was the machine idle?"
