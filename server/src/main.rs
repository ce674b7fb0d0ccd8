//! The binary `seam`; everything is in the library, so that tests can run it in process.

use std::process::ExitCode;

/// A request makes hundreds of small things on one thread that another lets go of: with the C library's allocator that was a
/// tenth of a gateway's time, and memory that was not given back (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    seam::memory::hold_little();
    seam::cli::main()
}
