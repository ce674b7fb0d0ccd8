//! `POST /v1/chat/completions`.

use super::super::{super::WebState, body::Object, caller::Program, chat, refusal::Refusal};
use axum::{extract::State, response::Response};
use contract::RequestId;
use gateway::dialects::openai_chat::{ChatCompletion, Telling};

pub(in super::super) async fn complete(
    State(state): State<WebState>,
    program: Program,
    Object(body): Object,
) -> Result<Response, Refusal> {
    let asked = ChatCompletion::read(body).map_err(|unusable| Refusal::unusable(&unusable))?;
    let request = RequestId::new();
    let created = state.platform().tenancy.clock().now().as_millis() / 1_000;
    let telling = Telling::new(request, created, asked.chat.model.clone(), asked.include_usage);
    chat::answer(&state, &program, request, asked.chat, telling, None).await
}
