//! The id that ties a request, its log lines and its problem together.

use std::future::Future;

tokio::task_local! {
    static TRACE_ID: String;
}

/// Runs `work` under the id of the request that it belongs to.
pub async fn with_trace_id<F: Future>(id: String, work: F) -> F::Output {
    TRACE_ID.scope(id, work).await
}

/// The id of the request at hand; a new one where there is none (a page's resources load in tasks of their
/// own), so that a problem can always be found in the logs.
pub fn current_trace_id() -> String {
    TRACE_ID.try_with(Clone::clone).unwrap_or_else(|_| uuid::Uuid::now_v7().hyphenated().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_keeps_its_id_and_others_get_their_own() {
        let inside = with_trace_id("abc".to_owned(), async { current_trace_id() }).await;
        assert_eq!(inside, "abc");
        assert_ne!(current_trace_id(), current_trace_id());
    }
}
