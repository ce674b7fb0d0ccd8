//! The binary `seam`; everything is in the library, so that tests can run it in process.

use std::process::ExitCode;

/// A request makes hundreds of small things on one thread that another lets go of: with the C library's allocator that was a
/// tenth of a gateway's time, and memory that was not given back (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Pages of two megabytes are resident as a whole when a hundredth of them is used: a third of a gateway's memory. Where the
    // system has none there is nothing to do.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    seam::cli::main()
}
