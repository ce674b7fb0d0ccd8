//! A tenant as a whole, on both engines: what an archive holds, what an import makes of it, what a deletion leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archives;
mod coverage;
mod deletion;
mod imports;
mod interruptions;
mod people;
mod round_trip;
mod world;
