//! `POST /v1/responses`, and what is kept of them: `/v1/responses/{id}`.

use super::super::{
    super::WebState,
    body::Object,
    caller::Program,
    chat::{self, Keeping},
    refusal::Refusal,
    weight::Burden,
};
use axum::{
    Extension, Json,
    extract::{Path, RawQuery, State},
    response::Response,
};
use contract::{Problem, RequestId};
use gateway::dialects::openai_responses::{Responses, Telling};
use orchestration::SaidBefore;
use serde_json::{Value, json};

pub(in super::super) async fn create(
    State(state): State<WebState>,
    program: Program,
    Extension(burden): Extension<Burden>,
    Object(body): Object,
) -> Result<Response, Refusal> {
    let asked = Responses::read(body).map_err(|unusable| Refusal::unusable(&unusable))?;
    program.require_model(&asked.model)?;
    let responses = &state.platform().responses;
    let before = match &asked.previous {
        None => Vec::new(),
        Some(id) => match responses.said_until(&program.scope, id).await? {
            SaidBefore::Whole { said, bytes } => {
                burden.take(&state, program.scope.tenant(), bytes)?;
                said
            }
            SaidBefore::Missing => return Err(Refusal::no_previous_response(id)),
            SaidBefore::TooLong => return Err(Refusal::too_much_before(id)),
        },
    };
    let request = RequestId::new();
    let created = state.platform().tenancy.clock().now().as_millis() / 1_000;
    let telling = Telling::new(request, created, asked.model.clone(), asked.repeated());
    let keeping = asked.stored.then(|| Keeping {
        responses: responses.clone(),
        scope: program.scope.clone(),
        id: telling.id().to_owned(),
        previous: asked.previous.clone(),
        input: asked.input(),
    });
    chat::answer(&state, &program, request, asked.into_chat(before), telling, keeping).await
}

pub(in super::super) async fn show(
    State(state): State<WebState>,
    program: Program,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let found = state.platform().responses.find(&program.scope, &id).await?;
    found.map(|kept| Json(kept.response)).ok_or_else(|| Refusal::no_response(&id))
}

pub(in super::super) async fn input_items(
    State(state): State<WebState>,
    program: Program,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let page = ItemPage::read(query.as_deref().unwrap_or_default())?;
    let found = state.platform().responses.find(&program.scope, &id).await?;
    let mut items = found.ok_or_else(|| Refusal::no_response(&id))?.input;
    for (number, item) in items.iter_mut().enumerate() {
        complete(item, &id, number);
    }
    let has_more = page.cut(&mut items)?;
    let at = |item: Option<&Value>| item.map(|item| item["id"].clone());
    let (first, last) = (at(items.first()), at(items.last()));
    Ok(Json(json!({ "object": "list", "data": items, "has_more": has_more, "first_id": first, "last_id": last })))
}

/// Which of the items are asked for.
struct ItemPage {
    limit: usize,
    /// The oldest first; the dialect's own order is the other one.
    ascending: bool,
    after: Option<String>,
}

impl ItemPage {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut page = Self { limit: 20, ascending: false, after: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let refused = |detail: &str| Refusal::from(Problem::field(&name, detail));
            match &*name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=100).contains(limit));
                    page.limit = limit.ok_or_else(|| refused("limit is a whole number from 1 to 100."))?;
                }
                "order" if value == "asc" || value == "desc" => page.ascending = value == "asc",
                "order" => return Err(refused("order is asc or desc.")),
                "after" => page.after = Some(value.into_owned()),
                // What it adds is in the items anyway.
                "include" | "include[]" => {}
                _ => return Err(refused("There is no such parameter; use limit, order or after.")),
            }
        }
        Ok(page)
    }

    /// Leaves what is asked for; whether there is more after it.
    fn cut(&self, items: &mut Vec<Value>) -> Result<bool, Refusal> {
        if !self.ascending {
            items.reverse();
        }
        if let Some(after) = &self.after {
            let found = items.iter().position(|item| item["id"] == **after);
            let place = found.ok_or_else(|| Refusal::from(Problem::field("after", "There is no such item in it.")))?;
            items.drain(..=place);
        }
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        Ok(has_more)
    }
}

/// What a short form leaves out, as the dialect lists it: an id, the kind of item, text as a part.
fn complete(item: &mut Value, response: &str, number: usize) {
    if !item.is_object() {
        return;
    }
    if item["id"].is_null() {
        item["id"] = format!("item_{number}_{response}").into();
    }
    if item["type"].is_null() {
        item["type"] = "message".into();
    }
    if let Some(text) = item["content"].as_str() {
        item["content"] = json!([{ "type": "input_text", "text": text }]);
    }
}

pub(in super::super) async fn delete(
    State(state): State<WebState>,
    program: Program,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    if state.platform().responses.forget(&program.scope, &id).await? {
        Ok(Json(json!({ "id": id, "object": "response", "deleted": true })))
    } else {
        Err(Refusal::no_response(&id))
    }
}
