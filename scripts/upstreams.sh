#!/usr/bin/env bash
# Servers that nobody here wrote, for tests to put behind Seam: llama.cpp's own, and LiteLLM's proxy. Once a machine, in
# the cache (0.9 GB). Prints the directory of their programs.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

# A package that holds llama.cpp with its server, compiled.
LLAMA=2026.10.11549
# Later ones need a package that is not published everywhere.
LITELLM=1.106.12

home="$SEAM_CACHE_DIR/upstreams-llama-$LLAMA-litellm-$LITELLM"
if [ ! -e "$home/complete" ]; then
  say "Fetching llama.cpp's server and LiteLLM, for tests (once, about a minute and a half)" >&2
  rm -rf "$home"
  python3 -m venv "$home" >&2 && "$home/bin/python" -m pip install -q --disable-pip-version-check "xllamacpp==$LLAMA" "litellm[proxy]==$LITELLM" >&2 ||
    fail "The servers for tests could not be fetched" "They come from Python's package index; the message is above. If python3 has no venv, run scripts/setup.sh."
  touch "$home/complete"
fi
printf '%s\n' "$home/bin"
