#!/usr/bin/env bash
# Installs what a fresh Debian 12 / Ubuntu 22.04+ machine lacks. Idempotent: when everything is there it
# takes well under a second. Usage: scripts/setup.sh [build] [test]   (build is always included)
#
# Two ways to a Rust toolchain that can build for the browser as well:
#   1. rustup with the version of rust-toolchain.toml and its wasm32 target (machines with an open network);
#   2. Debian's `rustc-web`, with the standard library for wasm32 built once from Debian's own source package.
# scripts/env.sh tells every later step which one it is.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

say()  { printf '\033[1m▸ %s\033[0m\n' "$*" >&2; }
fail() { printf '\033[31m✗ %s\033[0m\n  %s\n' "$1" "$2" >&2; exit 1; }

# --- Debian packages -------------------------------------------------------------------------------------
apt_missing() { local p; for p in "$@"; do dpkg-query -W -f='${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || echo "$p"; done; }

apt_install() {
  local missing; missing=$(apt_missing "$@")
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || fail "These packages are missing: $(echo $missing)" "Install them with your system's package manager, then run this again."
  local root=""; [ "$(id -u)" = 0 ] || root="sudo"
  say "Installing Debian packages: $(echo $missing)"
  $root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || true
  # shellcheck disable=SC2086
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 ||
    fail "apt-get could not install: $(echo $missing)" "Check the network and that you may use sudo, then run this again."
}

node_packages() { command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm; }
pip_packages()  { python3 -m pip --version >/dev/null 2>&1 || echo python3 python3-pip; }

# --- Rust ------------------------------------------------------------------------------------------------
rustup_toolchain_ready() {
  command -v rustup >/dev/null || return 1
  rustup toolchain list 2>/dev/null | grep -q "^$RUST_VERSION" &&
    RUSTUP_TOOLCHAIN=$RUST_VERSION rustup target list --installed 2>/dev/null | grep -q wasm32-unknown-unknown
}

try_rustup() {
  command -v rustup >/dev/null || return 1
  # RUSTUP_AUTO_INSTALL=0 and closed networks both end here quickly; a hang is cut off.
  say "Asking rustup for Rust $RUST_VERSION with the wasm32 target"
  timeout 300 rustup toolchain install "$RUST_VERSION" --profile minimal -c rustfmt -c clippy -t wasm32-unknown-unknown >/dev/null 2>&1
}

distro_sysroot() { /usr/bin/rustc --print sysroot; }

build_distro_wasm_std() {
  local out; out="$(distro_sysroot)/lib/rustlib/wasm32-unknown-unknown/lib"
  local stamp="$out/.seam-$(/usr/bin/rustc --version | tr -dc 'a-zA-Z0-9.+~-')"
  [ -e "$stamp" ] && return 0
  say "Building Rust's standard library for the browser (about a minute, once)"
  local work; work=$(mktemp -d)
  mkdir -p "$work/src"; : > "$work/src/lib.rs"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n' > "$work/Cargo.toml"
  (cd "$work" && env -u RUSTUP_TOOLCHAIN -u CARGO_TARGET_DIR RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTFLAGS= /usr/bin/cargo build -q --release \
      -Z build-std=std,panic_abort,panic_unwind,proc_macro --target wasm32-unknown-unknown --target-dir "$work/target") ||
    fail "Rust's standard library for wasm32 did not build" "The lines above say why; the package rust-web-src must be installed and match rustc-web."
  local root=""; [ -w "$(distro_sysroot)/lib/rustlib" ] || root="sudo"
  $root mkdir -p "$out"
  find "$work/target/wasm32-unknown-unknown/release/deps" -name '*.rlib' ! -name 'libempty*' -exec $root cp {} "$out/" \;
  $root touch "$stamp"
  rm -rf "$work"
}

setup_rust() {
  rustup_toolchain_ready && return 0
  if [ ! -x /usr/bin/rustc ] || ! /usr/bin/rustc --version | grep -q "^rustc $RUST_VERSION_MINOR"; then
    if try_rustup; then return 0; fi
    say "rustup cannot fetch Rust $RUST_VERSION here; using Debian's"
    apt_install rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy lld-22
  fi
  build_distro_wasm_std
  command -v rustup >/dev/null && ! rustup toolchain list | grep -q '^distro' && rustup toolchain link distro /usr
  return 0
}

# --- Programs from the npm registry ----------------------------------------------------------------------
npm_ci() { # directory
  local lock="$1/package-lock.json" stamp="$1/node_modules/.seam-lock"
  [ -e "$stamp" ] && cmp -s "$lock" "$stamp" && return 0
  say "Installing npm packages of $1"
  (cd "$1" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error >&2) ||
    fail "npm could not install the packages of $1" "Check the network; the lines above say which package."
  cp "$lock" "$stamp"
}

# shellcheck disable=SC2046
apt_install build-essential cmake pkg-config clang libclang-dev ca-certificates curl unzip $(node_packages) $(pip_packages)
setup_rust
npm_ci tools/web
for need in "$@"; do
  case "$need" in
    build) ;;
    test)  apt_install chromium; npm_ci end2end ;;
    *) fail "Unknown set-up part: $need" "Parts are: build, test." ;;
  esac
done
