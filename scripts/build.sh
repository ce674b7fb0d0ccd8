#!/usr/bin/env bash
# Builds target/release/seam (or target/dist/seam): frontend → web assets → server that carries them. Without changes it takes about a second.
# Usage: scripts/build.sh [--fast] [--dist]     --fast: a large frontend in little time, for `make dev`
#                                               --dist: target/dist/seam, the fastest server in the longest time
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

quiet() { if [ -t 2 ]; then :; else echo --quiet; fi; } # Cargo's own progress, where somebody watches

cargo_step() { # what, remedy, cargo arguments
  local what=$1 remedy=$2; shift 2
  say "$what"
  # shellcheck disable=SC2046
  cargo "$@" $(quiet) </dev/null || fail "$what: failed" "$remedy"
}

# Cargo puts the binary of every checkout to the same place in the shared target directory: from there to the copy
# below, one build at a time.
mkdir -p "$CARGO_TARGET_DIR"
exec 9>"$CARGO_TARGET_DIR/.seam-build"
flock 9

profile=wasm-release options=() server=release
for option; do
  case "$option" in
    --fast) profile=wasm-dev options=(--fast) ;;
    --dist) server=dist ;;
    *) fail "Unknown option: $option" "Options are: --fast, --dist." ;;
  esac
done
mkdir -p "target/$server"

cargo_step "Building the frontend for the browser" \
  "The compiler's message is above. If it says that the target wasm32 is missing, run scripts/setup.sh." \
  build --profile "$profile" -p frontend --target wasm32-unknown-unknown
cargo_step "Building the tool for web assets" "The compiler's message is above." build --release -p webbuild
say "Making the web assets"
"$CARGO_TARGET_DIR/release/webbuild" "${options[@]}" --out target/site \
  --wasm "$CARGO_TARGET_DIR/wasm32-unknown-unknown/$profile/frontend.wasm" ||
  fail "The web assets could not be made" "The message is above."

first="about 8 minutes"
[ "$server" = release ] || first="half an hour"
cargo_step "Building the server (the first time on a machine: $first on two cores)" \
  "The compiler's message is above. If a C compiler, cmake or libclang fails in it, run scripts/setup.sh." \
  build --profile "$server" -p seam
built="$CARGO_TARGET_DIR/$server/seam" copy="target/$server/seam"
if [ ! "$built" -ef "$copy" ] && ! cmp -s "$built" "$copy"; then
  # A new file, not new content: a running server keeps its own.
  cp "$built" "$copy.new"
  mv "$copy.new" "$copy"
fi
