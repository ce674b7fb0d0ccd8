//! The engine's threads step back: a page or a health check is answered before the next token.

/// How far. A thread at 10 gets about a tenth of a contended core and all of an idle one.
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 10;

/// Lowers the priority of the calling thread and of every thread that it starts from now on, which
/// includes llama.cpp's workers. Best effort: without it everything works, only less politely.
#[cfg(target_os = "linux")]
pub(super) fn step_back() {
    // SAFETY: setpriority takes plain integers and touches no memory of ours. On Linux the id 0 means the
    // calling thread alone, not the process (setpriority(2), “C library/kernel differences”).
    #[allow(unsafe_code)]
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    if result != 0 {
        let error = std::io::Error::last_os_error();
        tracing::warn!(%error, "the local engine keeps its normal priority; pages may be slower while it works");
    }
}

/// Elsewhere the call would slow the whole process down, web server included.
#[cfg(not(target_os = "linux"))]
pub(super) fn step_back() {}
