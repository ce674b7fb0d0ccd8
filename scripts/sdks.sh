#!/usr/bin/env bash
# The official SDKs that tests point at Seam, once a machine, in the cache. Prints the Python that has them.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

OPENAI=3.57.0
ANTHROPIC=2.14.0

home="$SEAM_CACHE_DIR/sdks-openai-$OPENAI-anthropic-$ANTHROPIC"
if [ ! -e "$home/complete" ]; then
  say "Fetching the official SDKs" >&2
  rm -rf "$home"
  python3 -m venv "$home" >&2 && "$home/bin/python" -m pip install -q --disable-pip-version-check "openai==$OPENAI" "anthropic==$ANTHROPIC" >&2 ||
    fail "The SDKs for tests could not be fetched" "They come from Python's package index; the message is above. If python3 has no venv, run scripts/setup.sh."
  touch "$home/complete"
fi
printf '%s\n' "$home/bin/python"
