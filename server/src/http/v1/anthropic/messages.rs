//! `POST /v1/messages`, and `/v1/messages/count_tokens`.

use super::super::{super::WebState, body::Object, caller::Program, chat, refusal::Refusal};
use axum::{
    Json,
    extract::{FromRequestParts, State},
    response::Response,
};
use contract::RequestId;
use gateway::dialects::anthropic_messages::{self, Telling};
use http::request::Parts;
use serde_json::{Value, json};
use std::convert::Infallible;
use tokio_util::sync::CancellationToken;

pub(in super::super) async fn create(
    State(state): State<WebState>,
    program: Program,
    Betas(betas): Betas,
    Object(body): Object,
) -> Result<Response, Refusal> {
    let asked = anthropic_messages::message(body, betas.as_deref()).map_err(|unusable| Refusal::unusable(&unusable))?;
    let request = RequestId::new();
    let telling = Telling::new(request, asked.model.clone());
    chat::answer(&state, &program, request, asked, telling, None).await
}

/// By the provider's own count where it has one, else by an estimate.
pub(in super::super) async fn count(
    State(state): State<WebState>,
    program: Program,
    Betas(betas): Betas,
    Object(body): Object,
) -> Result<Json<Value>, Refusal> {
    let asked =
        anthropic_messages::counting(body, betas.as_deref()).map_err(|unusable| Refusal::unusable(&unusable))?;
    program.require_model(&asked.model)?;
    let request = asked.into_request(RequestId::new(), program.cache, CancellationToken::new());
    let counted = state.platform().gateway.count_tokens(&program.scope, &request).await;
    let tokens = counted.map_err(Refusal::of_gateway)?;
    Ok(Json(json!({ "input_tokens": tokens })))
}

/// `anthropic-beta`, which may stand in a request more than once.
pub(in super::super) struct Betas(Option<String>);

impl<S: Sync> FromRequestParts<S> for Betas {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let values = parts.headers.get_all("anthropic-beta").iter().filter_map(|value| value.to_str().ok());
        let names: Vec<&str> = values.collect();
        Ok(Self((!names.is_empty()).then(|| names.join(","))))
    }
}
