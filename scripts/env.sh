# Sourced by every script: which toolchain builds Seam, and where things that outlive a checkout are kept.
RUST_VERSION=1.96.0
RUST_VERSION_MINOR=1.96

# Shared between checkouts and CI runs: dependencies are compiled once a machine, not once a clone.
export SEAM_CACHE_DIR="${SEAM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/seam}"

# Code is compiled for this machine's CPU (.cargo/config.toml), so the cache is kept apart per CPU and target.
if [ -n "${SEAM_TARGET_CPU:-}" ]; then
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-cpu=$SEAM_TARGET_CPU"
fi
SEAM_CPU="${SEAM_TARGET_CPU:-$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null | cksum | cut -d' ' -f1)}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$SEAM_CACHE_DIR/target-$SEAM_CPU}"
mkdir -p "$SEAM_CACHE_DIR"

export PATH="$PATH:$HOME/.cargo/bin"
if command -v rustup >/dev/null && rustup toolchain list 2>/dev/null | grep -q "^$RUST_VERSION"; then
  export RUSTUP_TOOLCHAIN="$RUST_VERSION"
elif command -v rustup >/dev/null; then
  export RUSTUP_TOOLCHAIN=distro   # rustup's name for /usr, see scripts/setup.sh
else
  export PATH="/usr/bin:$PATH"
fi
# Debian's compiler has no linker for wasm of its own.
if [ "${RUSTUP_TOOLCHAIN:-distro}" = distro ]; then
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22
fi
