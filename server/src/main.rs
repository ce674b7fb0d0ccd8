//! The binary `seam`; everything is in the library, so that tests can run it in process.

use std::process::ExitCode;

fn main() -> ExitCode {
    seam::cli::main()
}
