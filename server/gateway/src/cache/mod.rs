//! Answers that are given again, and calls that several share. Only within a tenant, and only for models whose config says so.
//!
//! What always holds: an answer that failed, was cut short or filtered is given to nobody again; what is given again stands
//! in the ledger, at no cost, with what it cost when it was made; a stream is given again as a stream.

mod answers;
mod question;
mod shared;

use crate::{AnswerPart, Answering, ChatRequest, EmbedRequest, Gateway, GatewayError, Outcome, gateway::Able};
use answers::{Answer, Answers, Kept, Vector};
use contract::{NanoUsd, RequestId, Timestamp};
use futures::{StreamExt, stream};
use metering::{CacheHit, CacheKind, Feature};
use question::Question;
use registry::CachePolicy;
use shared::{Joined, Shared, UnderWay};
use std::sync::Arc;
use store::TenantStores;
use tenancy::{Scope, SharedClock};

/// What a request says about answers that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheControl {
    /// As the model's config has it.
    #[default]
    Usual,
    /// A new answer, which others may be given again.
    NoCache,
    /// A new answer, which is kept nowhere.
    NoStore,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// A provider; nothing else was looked at.
    Bypass,
    /// A provider, since there was nothing.
    Miss,
    /// It was there already.
    Hit { kind: CacheKind, made_at: Option<Timestamp>, saved: Option<NanoUsd> },
}

/// What is kept, and what is under way.
pub(crate) struct Cache {
    answers: Answers,
    under_way: UnderWay,
}

impl Cache {
    pub fn new(stores: TenantStores, clock: SharedClock) -> Self {
        Self { answers: Answers::new(stores, clock), under_way: UnderWay::default() }
    }
}

/// All that one request needs to be answered by the cache, or for it.
#[derive(Clone)]
struct Lookup {
    gateway: Gateway,
    scope: Scope,
    request: ChatRequest,
    question: Question,
    policy: CachePolicy,
}

impl Gateway {
    /// The answer that is there already, that is being made, or a new one.
    pub(crate) async fn cached(
        &self,
        scope: &Scope,
        request: ChatRequest,
        able: Able,
    ) -> Result<Answering, GatewayError> {
        let policy = able.config.behaviour.cache.clone().filter(|_| request.cache != CacheControl::NoStore);
        let Some(policy) = policy else { return self.ask(scope, request, able).await };
        let Some(question) = Question::of(scope.tenant(), &able.config, &request) else {
            return self.ask(scope, request, able).await;
        };
        let lookup = Lookup { gateway: self.clone(), scope: scope.clone(), request, question, policy };
        // On the heap, so that those for whom nothing is kept are small.
        Box::pin(lookup.answer(able)).await
    }
}

impl Lookup {
    async fn answer(self, able: Able) -> Result<Answering, GatewayError> {
        if self.request.cache == CacheControl::NoCache {
            let answering = self.gateway.ask(&self.scope, self.request.clone(), able).await?;
            // What others are being told just now is none of this one's business.
            let alone = UnderWay::default().join(self.scope.tenant(), &self.question.key);
            alone.begin(async { Ok(answering) }).await?;
            return Ok(self.told(alone, None, CacheUse::Miss));
        }
        // What came from a place that must not be asked any more is not given again either.
        let allowed = |kept: &Kept| able.legs.iter().any(|leg| leg.route() == kept.answer.route);
        let found = self.gateway.cache.answers.find(&self.scope, &self.question.key).await?;
        if let Some(kept) = found.filter(allowed) {
            return self.given_again(kept, CacheKind::Exact).await;
        }
        let vector = self.vector().await;
        if let Some(kept) = self.alike(vector.as_ref()).await?.filter(allowed) {
            return self.given_again(kept, CacheKind::Semantic).await;
        }
        let shared = self.gateway.cache.under_way.join(self.scope.tenant(), &self.question.key);
        // It ends with its last reader, whoever of them asked first.
        let request = ChatRequest { cancel: shared.stop().clone(), ..self.request.clone() };
        let ask = || self.gateway.ask(&self.scope, request.clone(), able.clone());
        match shared.begin(ask()).await? {
            Joined::Leads => Ok(self.told(shared, vector, CacheUse::Miss)),
            Joined::Alone => {
                let answering = self.gateway.ask(&self.scope, self.request.clone(), able).await?;
                Ok(Answering { cache: CacheUse::Miss, ..answering })
            }
            Joined::Follows => self.following(shared).await,
        }
    }

    /// What was said last, as a vector; none where that cannot be had, which is no reason not to answer.
    async fn vector(&self) -> Option<Vector> {
        let (alike, model) = (self.question.alike.as_ref()?, self.policy.embed_with.as_ref()?);
        let request = EmbedRequest {
            request: RequestId::new(),
            model: model.clone(),
            inputs: vec![alike.said_last.clone()],
            dimensions: None,
            feature: Feature::Cache,
            cancel: self.request.cancel.child_token(),
        };
        match self.gateway.embed(&self.scope, request).await {
            Ok(embedded) => embedded.vectors.into_iter().next().map(|numbers| Vector { numbers, by: embedded.route }),
            Err(error) => {
                tracing::warn!(model, %error, "what was asked cannot be compared with what was asked before");
                None
            }
        }
    }

    async fn alike(&self, vector: Option<&Vector>) -> Result<Option<Kept>, GatewayError> {
        match (&self.question.alike, vector, self.policy.similarity) {
            (Some(alike), Some(vector), Some(similarity)) => {
                self.gateway.cache.answers.alike(&self.scope, alike, vector, similarity).await
            }
            (None, _, _) | (_, None, _) | (_, _, None) => Ok(None),
        }
    }

    /// An answer that is kept, as if it were made now.
    async fn given_again(self, kept: Kept, kind: CacheKind) -> Result<Answering, GatewayError> {
        let (saved, route) = (kept.answer.cost, kept.answer.route.clone());
        self.gateway.accounting.hit(&self.hit(kind, &route, saved)).await?;
        let cache = CacheUse::Hit { kind, made_at: Some(kept.made_at), saved };
        let parts = stream::iter(kept.answer.into_parts().into_iter().map(Ok)).boxed();
        Ok(Answering { parts, route, cache })
    }

    /// An answer that somebody else asked for and that is not at its end yet.
    async fn following(self, shared: Arc<Shared>) -> Result<Answering, GatewayError> {
        self.gateway.accounting.hit(&self.hit(CacheKind::Exact, &shared.route(), None)).await?;
        let cache = CacheUse::Hit { kind: CacheKind::Exact, made_at: None, saved: None };
        Ok(self.told(shared, None, cache))
    }

    fn hit(&self, kind: CacheKind, route: &str, saved: Option<NanoUsd>) -> CacheHit {
        let (provider, provider_model) = route.split_once('/').unwrap_or((route, ""));
        CacheHit {
            tenant: self.scope.tenant(),
            request: self.request.request,
            user: self.scope.user(),
            feature: self.request.feature,
            requested_model: self.request.model.clone(),
            provider: provider.to_owned(),
            provider_model: provider_model.to_owned(),
            prompt: self.request.prompt.clone(),
            kind,
            saved,
        }
    }

    /// A shared answer as one of its readers sees it; `vector` is kept with it.
    fn told(self, shared: Arc<Shared>, vector: Option<Vector>, cache: CacheUse) -> Answering {
        let route = shared.route();
        let reader = Reader { lookup: self, shared, vector, follows: cache != CacheUse::Miss };
        let parts = stream::unfold(Some((reader, 0)), |state| async {
            let (reader, place) = state?;
            let part = reader.part(place).await?;
            let over = matches!(part, Ok(AnswerPart::Finished(_)) | Err(_));
            Some((part, (!over).then_some((reader, place + 1))))
        });
        Answering { parts: parts.boxed(), route, cache }
    }
}

struct Reader {
    lookup: Lookup,
    shared: Arc<Shared>,
    vector: Option<Vector>,
    /// Whether somebody else pays.
    follows: bool,
}

impl Reader {
    async fn part(&self, place: usize) -> Option<Result<AnswerPart, GatewayError>> {
        let whole = async |parts: &[AnswerPart], outcome: &Outcome| self.keep(parts, outcome).await;
        let part = tokio::select! {
            biased;
            () = self.lookup.request.cancel.cancelled() => {
                self.shared.stopped();
                return Some(Err(GatewayError::Abandoned));
            }
            part = self.shared.part(place, whole) => part?,
        };
        Some(match part {
            Ok(AnswerPart::Finished(outcome)) if self.follows => self.followed(outcome).await,
            part => part,
        })
    }

    /// The end of an answer that somebody else pays for.
    async fn followed(&self, outcome: Outcome) -> Result<AnswerPart, GatewayError> {
        let (scope, request) = (&self.lookup.scope, self.lookup.request.request);
        self.lookup.gateway.accounting.hit_saved(scope.tenant(), request, outcome.cost).await?;
        Ok(AnswerPart::Finished(Outcome { cost: Some(NanoUsd::ZERO), attempts: 0, ..outcome }))
    }

    /// An answer that cannot be kept is an answer all the same.
    async fn keep(&self, parts: &[AnswerPart], outcome: &Outcome) {
        let Some(answer) = Answer::of(parts, outcome) else { return };
        let Lookup { gateway, scope, question, policy, .. } = &self.lookup;
        let kept = gateway.cache.answers.keep(scope, question, self.vector.as_ref(), &answer, policy.ttl_s).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "an answer cannot be kept to be given again");
        }
    }
}
