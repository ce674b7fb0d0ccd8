//! How the process holds memory: only what it uses, and what it lets go of is the system's again soon.

use libmimalloc_sys::{mi_option_get, mi_option_set, mi_option_t};

/// `mi_option_purge_delay` of mimalloc 3 (mimalloc.h), which its bindings do not name.
const PURGE_DELAY: mi_option_t = 15;
/// In milliseconds, as the library comes. Another value is another option, or somebody's wish in `MIMALLOC_PURGE_DELAY`.
const AS_IT_COMES: i64 = 1_000;
/// Long enough for the next password to be hashed in the pages of the last one, which are 19 MB each.
const SOON: i64 = 10;

/// To be called before anything else.
pub fn hold_little() {
    // Pages of two megabytes are resident as a whole when a hundredth of them is used: a third of a gateway's memory. Where the
    // system has none there is nothing to do.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    // SAFETY: both take plain integers and touch no memory of ours; no other thread runs yet.
    #[allow(unsafe_code)]
    unsafe {
        if mi_option_get(PURGE_DELAY) == AS_IT_COMES {
            mi_option_set(PURGE_DELAY, SOON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An update of the library that moves its options fails here, and changes nothing where it runs.
    #[test]
    fn the_option_is_the_one_that_is_meant() {
        #[allow(unsafe_code)] // SAFETY: as above.
        let found = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(found, AS_IT_COMES);
        hold_little();
        #[allow(unsafe_code)] // SAFETY: as above.
        let found = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(found, SOON);
    }
}
