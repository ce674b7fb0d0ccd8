//! One run: asks the gateway, stores what comes, tells readers, and ends exactly once.
//!
//! Whatever happens to the work (an error, a panic, a full disk, a stop, a shutdown), `drive` ends the
//! run in the database. Only when even that cannot be written is it left for whoever finds it next, and
//! live readers are told so.

use crate::{
    event_log::{self, Ending, NewRun},
    history,
    hub::{EndCause, LiveRun},
    problem,
};
use contract::{AnswerDetails, MessageId, Problem, RequestId, TokenUsage};
use futures::{FutureExt, Stream, StreamExt};
use gateway::{
    AnswerPart, CacheControl, ChatRequest, Gateway, GatewayError,
    conversation::{ChatParameters, ChatTurn, Conversation},
    provider::ProviderError,
};
use metering::Feature;
use metrics::counter;
use registry::PromptConfig;
use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use store::{StoreError, TenantStore};
use tenancy::{Scope, SharedClock};

/// Parts that are stored in one transaction at most; a fast provider fills it, a slow one never waits for it.
const BATCH: usize = 256;
/// A provider that never stops is stopped here; no model in use writes a hundredth of it.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How long the gateway may take to settle after a stop before the run ends without its figures.
const STOP_GRACE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 5_000 });
/// How often a model that cannot read the whole history is asked again with less of it.
const MAX_SHORTENINGS: u32 = 2;
/// Pauses between the attempts to store the end of a run: a full disk or a lock may pass.
const END_RETRIES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// All that a run needs; owned by its task.
pub(crate) struct Run {
    pub scope: Scope,
    pub new: NewRun,
    /// The member's message that is answered.
    pub question: MessageId,
    pub prompt: PromptConfig,
    pub parameters: ChatParameters,
    pub store: TenantStore,
    pub gateway: Gateway,
    pub clock: SharedClock,
    pub live: LiveRun,
}

/// Drives a stored run to its end.
pub(crate) async fn drive(run: Run) {
    let work = answer(&run);
    supervise(&run, work).await;
}

/// Ends the run however the work ends. None from the work: the run was ended by somebody else.
async fn supervise(run: &Run, work: impl Future<Output = Option<Ending>>) {
    let outcome = tokio::select! {
        outcome = AssertUnwindSafe(work).catch_unwind() => outcome,
        () = overdue(run) => Ok(Some(ended_early(run, None))),
    };
    let ending = match outcome {
        Ok(Some(ending)) => ending,
        Ok(None) => return,
        Err(_) => {
            tracing::error!(run = %run.new.run, "the task of a run panicked");
            failed(run, problem::internal(), None)
        }
    };
    end(run, &ending).await;
}

/// Resolves when somebody asked to stop and the work still goes on a while later.
async fn overdue(run: &Run) {
    run.live.stop().token().cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
    tracing::warn!(run = %run.new.run, "the gateway did not settle in time after a stop");
}

async fn end(run: &Run, ending: &Ending) {
    let mut retries = END_RETRIES.into_iter();
    loop {
        match event_log::end(&run.store, run.new.run, ending, run.clock.now()).await {
            Ok(Some(seq)) => {
                counted(ending);
                run.live.stored(seq);
                return;
            }
            Ok(None) => return,
            Err(error) => match retries.next() {
                Some(pause) => {
                    tracing::warn!(run = %run.new.run, %error, "the end of a run could not be stored, trying again");
                    tokio::time::sleep(pause).await;
                }
                None => {
                    tracing::error!(run = %run.new.run, %error, "the end of a run could not be stored");
                    run.live.lost(run.store.clone(), problem::of_store(&error).trace_id(run.new.run.to_string()));
                    return;
                }
            },
        }
    }
}

/// Counts a run that ended.
pub(crate) fn counted(ending: &Ending) {
    counter!("seam_runs_total", "status" => ending.run_status()).increment(1);
}

/// Asks the model and stores what it says.
async fn answer(run: &Run) -> Option<Ending> {
    let mut budget = history::HISTORY_TOKENS;
    let mut request = run.new.request;
    let mut shortenings = 0;
    loop {
        let turns = match history::turns(&run.store, run.question, budget).await {
            Ok(turns) => turns,
            Err(error) => return Some(store_failed(run, &error)),
        };
        let (estimate, several) = (history::estimated_tokens(&turns), turns.len() > 1);
        let conversation = Conversation {
            system: Some(run.prompt.system_text.clone()).filter(|text| !text.is_empty()),
            turns: turns.into_iter().map(ChatTurn::from).collect(),
            parameters: run.parameters.clone(),
            ..Conversation::default()
        };
        let call = ChatRequest {
            request,
            model: run.new.model.clone(),
            conversation: Arc::new(conversation),
            foreign: None,
            prompt: Some((run.prompt.name.clone(), run.prompt.version)),
            feature: Feature::Chat,
            // Who asks again wants another answer.
            cache: CacheControl::NoStore,
            cancel: run.live.stop().token().clone(),
        };
        let error = match run.gateway.chat(&run.scope, call).await {
            Ok(answering) => return record(run, answering.parts).await,
            Err(error) => error,
        };
        match context_exceeded(&error) {
            Some((tokens, limit)) if several && shortenings < MAX_SHORTENINGS => {
                shortenings += 1;
                // What was too long, by the model's own measure, with room for the answer.
                budget = estimate.saturating_mul(limit) / tokens.max(1) * 3 / 4;
                request = RequestId::new();
                if let Err(error) = event_log::replace_request(&run.store, run.new.run, request).await {
                    return Some(store_failed(run, &error));
                }
            }
            Some(_) | None => return Some(gateway_failed(run, &error)),
        }
    }
}

/// By the model's measure: how long the request was, and how long it may be.
const fn context_exceeded(error: &GatewayError) -> Option<(i64, i64)> {
    if let GatewayError::Rejected { cause } | GatewayError::AllAttemptsFailed { last: cause, .. } = error
        && let ProviderError::ContextExceeded { tokens, limit } = cause
    {
        return Some((*tokens, *limit));
    }
    None
}

/// Stores the parts as they come. What has arrived while the last batch was stored becomes the next.
async fn record(run: &Run, parts: impl Stream<Item = Result<AnswerPart, GatewayError>> + Unpin) -> Option<Ending> {
    let mut batches = parts.ready_chunks(BATCH);
    // `started` is number 1.
    let mut seq = 1;
    let mut bytes = 0;
    while let Some(batch) = batches.next().await {
        let mut text = String::new();
        let mut ending = None;
        for part in batch {
            match part {
                Ok(AnswerPart::Text(more)) => text.push_str(&more),
                // A conversation is asked about in Seam's own words, and offers no tools.
                Ok(AnswerPart::Tool(_) | AnswerPart::Native(_)) => {}
                Ok(AnswerPart::Finished(outcome)) => {
                    let details = outcome.details(&run.new.model, &run.prompt.label());
                    ending = Some(Ending::Finished { reason: outcome.reason, details });
                    break;
                }
                Err(error) => {
                    ending = Some(gateway_failed(run, &error));
                    break;
                }
            }
        }
        // Not every engine can store it, and no reader can see it.
        text.retain(|c| c != '\0');
        if !text.is_empty() {
            bytes += text.len();
            match event_log::append_text(&run.store, run.new.run, seq + 1, text, run.clock.now()).await {
                Ok(true) => {
                    seq += 1;
                    run.live.stored(seq);
                }
                Ok(false) => return None,
                Err(error) => return Some(store_failed(run, &error)),
            }
        }
        if ending.is_some() {
            return ending;
        }
        if bytes > MAX_ANSWER_BYTES {
            return Some(failed(run, problem::too_long(), None));
        }
    }
    tracing::error!(run = %run.new.run, "the gateway's stream ended without an end");
    Some(failed(run, problem::internal(), None))
}

fn gateway_failed(run: &Run, error: &GatewayError) -> Ending {
    if let GatewayError::Interrupted { outcome, cause } = error {
        let details = outcome.details(&run.new.model, &run.prompt.label());
        if matches!(cause, ProviderError::Cancelled) {
            return ended_early(run, Some(details));
        }
        tracing::warn!(run = %run.new.run, %error, "an answer was cut");
        return failed(run, problem::of_gateway(error), Some(details));
    }
    tracing::warn!(run = %run.new.run, %error, "an answer failed");
    failed(run, problem::of_gateway(error), None)
}

/// The end of a run that somebody asked to end.
fn ended_early(run: &Run, details: Option<AnswerDetails>) -> Ending {
    match run.live.stop().cause() {
        Some(EndCause::Member) => Ending::Stopped { details: details.unwrap_or_else(|| unknown_details(run)) },
        Some(EndCause::Shutdown) => failed(run, problem::shutting_down(), details),
        Some(EndCause::Removed) | None => failed(run, problem::interrupted(), details),
    }
}

/// What is known of an answer whose figures the gateway did not tell.
fn unknown_details(run: &Run) -> AnswerDetails {
    AnswerDetails {
        model: run.new.model.clone(),
        route: run.new.model.clone(),
        usage: TokenUsage::default(),
        cost: None,
        measured: false,
        first_token_ms: None,
        total_ms: 0,
        config: run.prompt.label(),
    }
}

fn store_failed(run: &Run, error: &StoreError) -> Ending {
    tracing::error!(run = %run.new.run, %error, "an answer could not be stored");
    failed(run, problem::of_store(error), None)
}

fn failed(run: &Run, problem: Problem, details: Option<AnswerDetails>) -> Ending {
    Ending::Failed { problem: problem.trace_id(run.new.run.to_string()), details }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chats, start, start::Begin};
    use contract::{ProblemCode, RunEvent};
    use testkit::Fixture;

    /// A run that has begun and is not driven yet.
    async fn begun(fixture: &Fixture) -> (Chats, Run) {
        let chats = Chats::new(
            fixture.stores.clone(),
            fixture.gateway.clone(),
            fixture.registry.clone(),
            fixture.clock().clone(),
            fixture.nodes.clone(),
        );
        let begin = Begin::Send { conversation: None, text: "hello".to_owned() };
        let (live, start) = chats.prepare(&fixture.member, begin, Some("sim".to_owned())).await.unwrap();
        let run = start::begin(&chats, live, start).await.unwrap();
        (chats, run)
    }

    async fn ending_of(run: &Run) -> RunEvent {
        event_log::last_event(&run.store, run.new.run).await.unwrap().unwrap().event
    }

    #[tokio::test]
    async fn a_run_whose_task_panics_ends_as_failed_with_what_was_said() {
        let fixture = Fixture::open().await.unwrap();
        let (_chats, run) = begun(&fixture).await;
        let work = async {
            event_log::append_text(&run.store, run.new.run, 2, "half".to_owned(), run.clock.now()).await.unwrap();
            panic!("on purpose");
        };
        supervise(&run, work).await;
        let RunEvent::Failed { problem, .. } = ending_of(&run).await else { panic!("it did not fail") };
        assert_eq!(problem.code, ProblemCode::Internal);
        assert!(!problem.detail.contains("purpose"), "internals in {problem}");
        assert_eq!(event_log::running(&run.store, run.live.node()).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_stop_that_the_gateway_ignores_still_ends_the_run() {
        let fixture = Fixture::open().await.unwrap();
        let (chats, run) = begun(&fixture).await;
        chats.stop(&fixture.member, run.new.run).await.unwrap();
        supervise(&run, std::future::pending()).await;
        assert!(matches!(ending_of(&run).await, RunEvent::Stopped { .. }));
    }

    #[tokio::test]
    async fn a_stream_that_ends_without_an_end_is_a_failure() {
        let fixture = Fixture::open().await.unwrap();
        let (_chats, run) = begun(&fixture).await;
        let parts = futures::stream::iter([Ok(AnswerPart::Text("a\0b".to_owned()))]);
        supervise(&run, record(&run, parts)).await;
        assert!(matches!(ending_of(&run).await, RunEvent::Failed { .. }));
        assert_eq!(event_log::text_so_far(&run.store, run.new.run).await.unwrap(), ("ab".to_owned(), 2));
    }

    #[tokio::test]
    async fn a_run_left_without_its_task_is_ended_by_whoever_comes_upon_it() {
        let fixture = Fixture::open().await.unwrap();
        let (chats, run) = begun(&fixture).await;
        let (store, new) = (run.store.clone(), run.new.clone());
        drop(run);
        assert_eq!(event_log::running(&store, new.node).await.unwrap(), [new.run]);
        assert!(chats.wait(&fixture.member, new.run, Duration::from_secs(9)).await.unwrap());
        assert_eq!(event_log::running(&store, new.node).await.unwrap(), []);
        assert_eq!(event_log::last_event(&store, new.run).await.unwrap().unwrap().seq, 2);
    }
}
