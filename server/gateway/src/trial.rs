//! An operator's test request: a short chat, made like anybody's, so that what works here works for tenants.
//!
//! It is on the operator's own account in the ledger ([`TenantId::PLATFORM`]), which no tenant's rules bind.

use crate::{
    AnswerPart, Answering, CacheControl, ChatRequest, Gateway, GatewayError, Outcome,
    accounting::Asked,
    chat::{self, Chat},
    conversation::{ChatParameters, ChatTurn, Conversation},
    gateway::soon,
    prices::Amount,
    provider::ProviderError,
};
use contract::{MessageRole, RequestId, TenantId, TrialAnswer, TrialAttempt, TrialEnd, TrialView};
use futures::StreamExt;
use metering::Feature;
use std::{sync::Arc, time::Duration};
use tenancy::{Actor, OperatorScope};
use tokio_util::sync::CancellationToken;

const QUESTION: &str = "Say hello in one short sentence.";
const MOST_TOKENS: i64 = 16;
/// An operator waits before an empty page until it is over.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is shown of the answer.
const SHOWN: usize = 200;
/// More attempts than anybody reads.
const LISTED: i64 = 8;

impl Gateway {
    /// Asks a model something short, and tells what came of it.
    ///
    /// # Errors
    /// `UnknownModel`, and what is wrong with this server itself. That nobody answers is no error.
    pub async fn model_try(&self, operator: &OperatorScope, model: &str) -> Result<TrialView, GatewayError> {
        let request = question(model);
        let id = request.request;
        let end = match tokio::time::timeout(PATIENCE, self.trial(operator, request)).await {
            Ok(Ok((outcome, first_words))) => answered(outcome, first_words),
            Ok(Err(error)) => told(error)?,
            // Dropped, it is settled as stopped.
            Err(_) => TrialEnd::Failed { code: ProviderError::TimedOut(PATIENCE).code().to_owned() },
        };
        let rows = self.accounting.attempts(TenantId::PLATFORM, id, LISTED).await?;
        let attempts = rows.into_iter().map(|row| TrialAttempt {
            route: format!("{}/{}", row.provider, row.provider_model),
            status: row.status.as_str().to_owned(),
            error_code: row.error_code,
        });
        Ok(TrialView { model: model.to_owned(), end, attempts: attempts.collect() })
    }

    async fn trial(&self, operator: &OperatorScope, request: ChatRequest) -> Result<(Outcome, String), GatewayError> {
        if self.closing.is_cancelled() {
            return Err(GatewayError::ShuttingDown);
        }
        let config = self.registry.model(&request.model).await?;
        let route = self.places.of(&config, None).await?;
        if route.legs.is_empty() {
            return Err(GatewayError::NoTarget { model: config.name.clone(), reason: route.left_out.join("; ") });
        }
        let legs = self.in_order(config.strategy, route.legs, Amount::Chat(&request)).await?;
        let user = match operator.author().actor() {
            Actor::User(user) => Some(user),
            Actor::Key(_) | Actor::CommandLine | Actor::Upkeep => None,
        };
        let asked = Asked {
            tenant: TenantId::PLATFORM,
            request: request.request,
            user,
            feature: request.feature,
            model: request.model.clone(),
            prompt: None,
        };
        let chat = Chat {
            accounting: self.accounting.clone(),
            places: Arc::clone(&self.places),
            asked,
            interest: self.interest(&request.cancel),
            request,
            deadline: soon(&config.behaviour),
            hedge_after: None,
            on_disconnect: config.behaviour.on_disconnect,
        };
        heard(chat::start(chat, legs, &self.tasks).await?).await
    }
}

fn question(model: &str) -> ChatRequest {
    ChatRequest {
        request: RequestId::new(),
        model: model.to_owned(),
        conversation: Arc::new(Conversation {
            turns: vec![ChatTurn::of_text(MessageRole::User, QUESTION)],
            parameters: ChatParameters { max_output_tokens: Some(MOST_TOKENS), ..ChatParameters::default() },
            ..Conversation::default()
        }),
        foreign: None,
        prompt: None,
        feature: Feature::Chat,
        cache: CacheControl::NoStore,
        cancel: CancellationToken::new(),
    }
}

/// The outcome, and how the answer begins.
async fn heard(mut answering: Answering) -> Result<(Outcome, String), GatewayError> {
    let mut said = String::new();
    while let Some(part) = answering.parts.next().await {
        match part? {
            AnswerPart::Text(text) => said.push_str(&text),
            AnswerPart::Tool(_) | AnswerPart::Native(_) => {}
            AnswerPart::Finished(outcome) => return Ok((outcome, said.trim().chars().take(SHOWN).collect())),
        }
    }
    Err(GatewayError::Abandoned)
}

fn answered(outcome: Outcome, first_words: String) -> TrialEnd {
    let Outcome { usage, cost, measured, route, first_token_ms, total_ms, .. } = outcome;
    TrialEnd::Answered(TrialAnswer { route, first_words, first_token_ms, total_ms, usage, measured, cost })
}

/// What an operator is told of a failure: its code, or our own words. What a provider says of it may hold anything.
fn told(error: GatewayError) -> Result<TrialEnd, GatewayError> {
    match error {
        GatewayError::NoTarget { reason, .. } => Ok(TrialEnd::NotAsked { reason }),
        GatewayError::AllAttemptsFailed { last: ProviderError::NotReady(reason), .. } => {
            Ok(TrialEnd::NotAsked { reason })
        }
        GatewayError::AllAttemptsFailed { last: cause, .. }
        | GatewayError::Rejected { cause }
        | GatewayError::Interrupted { cause, .. } => Ok(TrialEnd::Failed { code: cause.code().to_owned() }),
        error @ (GatewayError::UnknownModel { .. }
        | GatewayError::Untranslatable { .. }
        | GatewayError::UnknownProvider { .. }
        | GatewayError::InvalidKey { .. }
        | GatewayError::InvalidProvider { .. }
        | GatewayError::TargetMoved { .. }
        | GatewayError::ShuttingDown
        | GatewayError::Abandoned
        | GatewayError::Metering(_)
        | GatewayError::Registry(_)
        | GatewayError::Store(_)
        | GatewayError::Tenancy(_)
        | GatewayError::Vault(_)) => Err(error),
    }
}
