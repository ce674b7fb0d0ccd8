//! Answers that are kept, in the tenant's own store: found by what was asked, or by what is alike.

use super::question::{Alike, Question};
use crate::{AnswerPart, GatewayError, Outcome, provider::ToolPart};
use contract::{FinishReason, NanoUsd, TenantId, Timestamp, TokenUsage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use store::{FromRow, Row, StoreError, TenantStores};
use tenancy::{Scope, SharedClock};

const FIND: &str = "
SELECT answer, created_at FROM answer_cache WHERE tenant_id = $1 AND question = $2 AND expires_at > $3";
const ALIKE: &str = "
SELECT question, said_last, vector FROM answer_cache
WHERE tenant_id = $1 AND family = $2 AND expires_at > $3 AND vector IS NOT NULL
ORDER BY created_at DESC LIMIT $4";
const KEEP: &str = "
INSERT INTO answer_cache
    (tenant_id, question, family, said_last, vector, answer, bytes, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, question) DO UPDATE SET
    family = COALESCE(excluded.family, answer_cache.family),
    said_last = COALESCE(excluded.said_last, answer_cache.said_last),
    vector = COALESCE(excluded.vector, answer_cache.vector), answer = excluded.answer,
    bytes = excluded.bytes
        + CASE WHEN excluded.vector IS NULL THEN COALESCE(LENGTH(answer_cache.vector), 0) ELSE 0 END,
    created_at = excluded.created_at, expires_at = excluded.expires_at";
const PRUNE: &str = "DELETE FROM answer_cache WHERE tenant_id = $1 AND expires_at <= $2";
// The oldest go until the rest fits.
const SHRINK: &str = "
DELETE FROM answer_cache WHERE tenant_id = $1 AND question IN (
    SELECT question FROM (
        SELECT question, SUM(bytes) OVER (ORDER BY created_at DESC, question) AS up_to_here
        FROM answer_cache WHERE tenant_id = $1
    ) AS sizes
    WHERE up_to_here > $2
)";

/// A longer answer is made anew each time.
const LONGEST_ANSWER: usize = 1 << 20;
/// What is kept for one tenant.
const MOST_BYTES: i64 = 64 << 20;
/// Every so many answers of a tenant, its store is tidied.
const TIDY_EVERY: u64 = 32;
/// So many tenants are counted; all begin anew when there are more.
const MOST_COUNTED: usize = 100_000;
/// So many questions are compared with one, the newest first.
const MOST_COMPARED: i64 = 500;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    parts: Vec<Part>,
    reason: FinishReason,
    usage: TokenUsage,
    pub cost: Option<NanoUsd>,
    measured: bool,
    pub route: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Text(String),
    Begins { id: String, name: String },
    Arguments(String),
    Native(Value),
}

impl Answer {
    /// None for what is not to be given again: an answer that was cut short or filtered, or one that is too long.
    pub fn of(parts: &[AnswerPart], outcome: &Outcome) -> Option<Self> {
        match outcome.reason {
            FinishReason::Stop => {}
            FinishReason::Length | FinishReason::ContentFilter => return None,
        }
        let parts = parts.iter().filter_map(|part| match part {
            AnswerPart::Text(text) => Some(Part::Text(text.clone())),
            AnswerPart::Tool(ToolPart::Begins { id, name }) => {
                Some(Part::Begins { id: id.clone(), name: name.clone() })
            }
            AnswerPart::Tool(ToolPart::Arguments(more)) => Some(Part::Arguments(more.clone())),
            AnswerPart::Native(value) => Some(Part::Native(value.clone())),
            AnswerPart::Finished(_) => None,
        });
        Some(Self {
            parts: parts.collect(),
            reason: outcome.reason,
            usage: outcome.usage,
            cost: outcome.cost,
            measured: outcome.measured,
            route: outcome.route.clone(),
        })
    }

    /// The parts as they came, and their end: an outcome that costs nothing.
    pub fn into_parts(self) -> Vec<AnswerPart> {
        let outcome = Outcome {
            reason: self.reason,
            usage: self.usage,
            cost: Some(NanoUsd::ZERO),
            measured: self.measured,
            route: self.route,
            first_token_ms: None,
            total_ms: 0,
            attempts: 0,
        };
        let parts = self.parts.into_iter().map(|part| match part {
            Part::Text(text) => AnswerPart::Text(text),
            Part::Begins { id, name } => AnswerPart::Tool(ToolPart::Begins { id, name }),
            Part::Arguments(more) => AnswerPart::Tool(ToolPart::Arguments(more)),
            Part::Native(value) => AnswerPart::Native(value),
        });
        parts.chain([AnswerPart::Finished(outcome)]).collect()
    }
}

/// An answer with its age.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub answer: Answer,
    pub made_at: Timestamp,
}

impl FromRow for Kept {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let text: String = row.get("answer")?;
        let answer = serde_json::from_str(&text).map_err(|error| StoreError::Column {
            column: "answer_cache.answer".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { answer, made_at: row.get("created_at")? })
    }
}

/// What a text means, as one model sees it: no other model's vector can be compared with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vector {
    pub numbers: Vec<f32>,
    /// Who made it.
    pub by: String,
}

impl Vector {
    fn family(&self, alike: &Alike) -> String {
        format!("{} {}", alike.family, self.by)
    }
}

struct Candidate {
    question: String,
    said_last: String,
    vector: Vec<f32>,
}

impl FromRow for Candidate {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let bytes: Vec<u8> = row.get("vector")?;
        let (numbers, _) = bytes.as_chunks::<4>();
        let vector = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        Ok(Self { question: row.get("question")?, said_last: row.get("said_last")?, vector })
    }
}

/// The answers of all tenants, each tenant's by its scope.
pub(crate) struct Answers {
    stores: TenantStores,
    clock: SharedClock,
    /// How many were kept of each tenant. Held for a look, never across an await.
    kept: Mutex<HashMap<TenantId, u64>>,
}

impl Answers {
    pub fn new(stores: TenantStores, clock: SharedClock) -> Self {
        Self { stores, clock, kept: Mutex::default() }
    }

    /// Whether it is time to tidy a tenant's store: at its first answer, and every so many ones.
    fn is_to_tidy(&self, tenant: TenantId) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_COUNTED {
            kept.clear();
        }
        let count = kept.entry(tenant).or_default();
        *count += 1;
        *count % TIDY_EVERY == 1
    }

    pub async fn find(&self, scope: &Scope, question: &str) -> Result<Option<Kept>, GatewayError> {
        let store = scope.store(&self.stores).await?;
        let found = store.read(FIND).bind(store.tenant()).bind(question).bind(self.clock.now());
        match found.fetch_optional().await {
            Ok(found) => Ok(found),
            // Written by another version.
            Err(StoreError::Column { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The answer to the question that is most alike, if it is alike enough.
    pub async fn alike(
        &self,
        scope: &Scope,
        alike: &Alike,
        vector: &Vector,
        similarity: f64,
    ) -> Result<Option<Kept>, GatewayError> {
        let store = scope.store(&self.stores).await?;
        let query = store.read(ALIKE).bind(store.tenant()).bind(vector.family(alike)).bind(self.clock.now());
        let candidates: Vec<Candidate> = query.bind(MOST_COMPARED).fetch_all().await?;
        let likeness = |candidate: &Candidate| cosine(&candidate.vector, &vector.numbers);
        let near = candidates.iter().filter(|candidate| alike.counts_as(&candidate.said_last));
        let best = near.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match best.filter(|best| likeness(best) >= similarity) {
            Some(best) => self.find(scope, &best.question).await,
            None => Ok(None),
        }
    }

    /// Keeps an answer; durable when this returns.
    pub async fn keep(
        &self,
        scope: &Scope,
        question: &Question,
        vector: Option<&Vector>,
        answer: &Answer,
        ttl_s: i64,
    ) -> Result<(), GatewayError> {
        let text = serde_json::to_string(answer).unwrap_or_default();
        if text.is_empty() || text.len() > LONGEST_ANSWER {
            return Ok(());
        }
        let alike = question.alike.as_ref().zip(vector);
        let family = alike.map(|(alike, vector)| vector.family(alike));
        let said_last = alike.map(|(alike, _)| alike.said_last.as_str());
        let vector: Option<Vec<u8>> =
            alike.map(|(_, vector)| vector.numbers.iter().flat_map(|x| x.to_le_bytes()).collect());
        let bytes = text.len() + vector.as_ref().map_or(0, Vec::len);
        let store = scope.store(&self.stores).await?;
        let now = self.clock.now();
        let mut tx = store.begin().await?;
        let keep = tx.query(KEEP).bind(store.tenant()).bind(question.key.as_str());
        let keep = keep
            .bind(family)
            .bind(said_last)
            .bind(vector)
            .bind(text)
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .bind(now);
        keep.bind(now.plus_millis(ttl_s.saturating_mul(1_000))).execute().await?;
        if self.is_to_tidy(store.tenant()) {
            tx.query(PRUNE).bind(store.tenant()).bind(now).execute().await?;
            tx.query(SHRINK).bind(store.tenant()).bind(MOST_BYTES).execute().await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Of two vectors of unit length; nothing is like one of another length.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::NEG_INFINITY;
    }
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::TenantId;
    use std::sync::Arc;
    use store::ControlStore;
    use tenancy::{FixedClock, Tenancy, Vault};
    use testbase::Scratch;

    fn outcome(reason: FinishReason) -> Outcome {
        Outcome {
            reason,
            usage: TokenUsage { input: Some(3), output: Some(1), ..TokenUsage::default() },
            cost: Some(NanoUsd::from_nanos(7)),
            measured: true,
            route: "p/m".to_owned(),
            first_token_ms: Some(1),
            total_ms: 2,
            attempts: 1,
        }
    }

    #[test]
    fn an_answer_comes_back_in_its_parts_and_costs_nothing() {
        let parts = vec![
            AnswerPart::Text("a".to_owned()),
            AnswerPart::Tool(ToolPart::Begins { id: "1".to_owned(), name: "f".to_owned() }),
            AnswerPart::Tool(ToolPart::Arguments("{}".to_owned())),
            AnswerPart::Native(serde_json::json!({ "x": 1 })),
        ];
        let answer = Answer::of(&parts, &outcome(FinishReason::Stop)).unwrap();
        let text = serde_json::to_string(&answer).unwrap();
        let again = serde_json::from_str::<Answer>(&text).unwrap().into_parts();
        assert_eq!(again[..4], parts);
        let AnswerPart::Finished(end) = &again[4] else { panic!("{again:?}") };
        assert_eq!((end.cost, end.usage), (Some(NanoUsd::ZERO), outcome(FinishReason::Stop).usage));
        assert_eq!(Answer::of(&parts, &outcome(FinishReason::Length)), None);
        assert_eq!(Answer::of(&parts, &outcome(FinishReason::ContentFilter)), None);
    }

    #[test]
    fn vectors_of_different_length_are_not_alike() {
        assert!((cosine(&[0.6, 0.8], &[0.6, 0.8]) - 1.0).abs() < 1e-6);
        assert!(cosine(&[1.0], &[0.6, 0.8]) < -1.0);
    }

    const COUNT: &str = "SELECT COUNT(*) AS value FROM answer_cache WHERE tenant_id = $1 AND question = $2";
    const PLANT: &str = "
INSERT INTO answer_cache (tenant_id, question, answer, bytes, created_at, expires_at)
VALUES ($1, $2, '{}', $3, $4, 9000000000000)";

    /// Two tenants that ask the same, under the same hashes.
    struct Twins {
        stores: TenantStores,
        clock: Arc<FixedClock>,
        acme: Scope,
        globex: Scope,
        _scratch: Scratch,
    }

    impl Twins {
        async fn new() -> Self {
            let scratch = Scratch::new().await.unwrap();
            let control = ControlStore::open(scratch.location()).await.unwrap();
            let stores = TenantStores::new(scratch.location());
            stores.prepare().await.unwrap();
            let clock = Arc::new(FixedClock::at(Timestamp::from_millis(1_790_000_000_000)));
            let vault = Vault::open(scratch.dir(), None, None).unwrap();
            let tenancy = Tenancy::new(control, clock.clone(), vault);
            let scope = || tenancy.upkeep_scope(TenantId::new());
            Self { stores, clock, acme: scope(), globex: scope(), _scratch: scratch }
        }

        /// Tidies at its first answer.
        fn answers(&self) -> Answers {
            Answers::new(self.stores.clone(), self.clock.clone())
        }

        async fn has(&self, scope: &Scope, question: &str) -> bool {
            let store = scope.store(&self.stores).await.unwrap();
            let found: i64 = store.read(COUNT).bind(store.tenant()).bind(question).fetch_one().await.unwrap();
            found == 1
        }

        async fn plant(&self, scope: &Scope, question: &str, bytes: i64, created_at: i64) {
            let store = scope.store(&self.stores).await.unwrap();
            let row = store.write(PLANT).bind(store.tenant()).bind(question).bind(bytes);
            row.bind(created_at).execute().await.unwrap();
        }
    }

    fn vector(numbers: [f32; 2]) -> Vector {
        Vector { numbers: numbers.to_vec(), by: "p/small".to_owned() }
    }

    fn question(key: &str) -> Question {
        let alike = Alike { family: "family".to_owned(), said_last: "What is it?".to_owned() };
        Question { key: key.to_owned(), alike: Some(alike) }
    }

    fn answer(text: &str) -> Answer {
        Answer::of(&[AnswerPart::Text(text.to_owned())], &outcome(FinishReason::Stop)).unwrap()
    }

    #[tokio::test]
    async fn the_same_question_of_two_tenants_has_two_answers_and_two_ages() {
        let twins = Twins::new().await;
        let (answers, asked, vector) = (twins.answers(), question("same"), vector([1.0, 0.0]));
        let found = async |scope: &Scope| {
            let exact = answers.find(scope, &asked.key).await.unwrap();
            let alike = answers.alike(scope, asked.alike.as_ref().unwrap(), &vector, 0.9).await.unwrap();
            assert_eq!(exact, alike);
            exact.map(|kept| kept.answer)
        };
        answers.keep(&twins.acme, &asked, Some(&vector), &answer("acme's"), 60).await.unwrap();
        assert_eq!((found(&twins.acme).await, found(&twins.globex).await), (Some(answer("acme's")), None));
        answers.keep(&twins.globex, &asked, Some(&vector), &answer("globex's"), 600).await.unwrap();
        assert_eq!(found(&twins.acme).await, Some(answer("acme's")));
        twins.clock.advance(std::time::Duration::from_secs(61));
        assert_eq!((found(&twins.acme).await, found(&twins.globex).await), (None, Some(answer("globex's"))));
    }

    #[tokio::test]
    async fn what_is_more_alike_and_not_ones_own_or_over_stands_in_nobodys_way() {
        let twins = Twins::new().await;
        let (answers, like, asked) = (twins.answers(), vector([0.8, 0.6]), vector([1.0, 0.0]));
        answers.keep(&twins.acme, &question("alike"), Some(&like), &answer("acme's"), 600).await.unwrap();
        answers.keep(&twins.globex, &question("the same"), Some(&asked), &answer("globex's"), 600).await.unwrap();
        answers.keep(&twins.acme, &question("over"), Some(&asked), &answer("old"), 1).await.unwrap();
        twins.clock.advance(std::time::Duration::from_secs(2));
        let family = question("asked").alike.unwrap();
        let found = answers.alike(&twins.acme, &family, &asked, 0.7).await.unwrap();
        assert_eq!(found.map(|kept| kept.answer), Some(answer("acme's")));
        let others = Vector { by: "p/other".to_owned(), ..asked.clone() };
        assert_eq!(answers.alike(&twins.acme, &family, &others, 0.7).await.unwrap(), None, "another model's vector");
        // Made anew without a vector, it is found by its old one still.
        answers.keep(&twins.acme, &question("alike"), None, &answer("new"), 600).await.unwrap();
        let found = answers.alike(&twins.acme, &family, &asked, 0.7).await.unwrap();
        assert_eq!(found.map(|kept| kept.answer), Some(answer("new")));
    }

    #[tokio::test]
    async fn who_tidies_tidies_its_own() {
        let twins = Twins::new().await;
        twins.answers().keep(&twins.acme, &question("short"), None, &answer("a"), 1).await.unwrap();
        twins.clock.advance(std::time::Duration::from_secs(2));
        twins.answers().keep(&twins.globex, &question("any"), None, &answer("b"), 60).await.unwrap();
        assert!(twins.has(&twins.acme, "short").await, "its age is its owner's business");
        twins.answers().keep(&twins.acme, &question("any"), None, &answer("a"), 60).await.unwrap();
        assert!(!twins.has(&twins.acme, "short").await);

        // Of acme's there is too much, and what is oldest goes; globex has as much as it may.
        for (scope, question, bytes, at) in [
            (&twins.acme, "old", 40 << 20, 1),
            (&twins.acme, "new", 40 << 20, 2),
            (&twins.globex, "old", 10 << 20, 1),
            (&twins.globex, "new", 50 << 20, 2),
        ] {
            twins.plant(scope, question, bytes, at).await;
        }
        twins.answers().keep(&twins.globex, &question("more"), None, &answer("b"), 60).await.unwrap();
        assert!(twins.has(&twins.globex, "old").await && twins.has(&twins.acme, "old").await);
        twins.answers().keep(&twins.acme, &question("more"), None, &answer("a"), 60).await.unwrap();
        assert!(!twins.has(&twins.acme, "old").await && twins.has(&twins.acme, "new").await);
        assert!(twins.has(&twins.globex, "old").await, "what another has too much of");

        // Whoever else keeps answers in between, each tenant's turn to tidy comes.
        let answers = twins.answers();
        let turns =
            (0..64).filter(|_| answers.is_to_tidy(twins.acme.tenant()) | !answers.is_to_tidy(twins.globex.tenant()));
        assert_eq!(turns.count(), 64, "both tidy at the same answers");
    }
}
