#!/usr/bin/env bash
# Fetches the local models once a machine into the cache, and lets a data directory use them.
# Usage: scripts/models.sh [DATA_DIR]     (after scripts/build.sh; DATA_DIR default ./data)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

# `seam models pull` verifies what is there and fetches what is not.
SEAM_DATA_DIR="$SEAM_CACHE_DIR" target/release/seam models pull ||
  fail "The local models are not complete" "See the message above; without a network: target/release/seam models pull --from DIR, with the files in DIR."

data=${1:-${SEAM_DATA_DIR:-data}}
[ -d "$data" ] || mkdir -p -m 700 "$data"
# Somebody's own directory of models stays as it is.
if [ ! -e "$data/models" ]; then ln -sfn "$SEAM_CACHE_DIR/models" "$data/models"; fi
