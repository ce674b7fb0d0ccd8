//! `GET /v1/models`: what this key may ask for.

use super::super::{super::WebState, caller::Program, refusal::Refusal};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

pub(in super::super) async fn list(State(state): State<WebState>, program: Program) -> Result<Json<Value>, Refusal> {
    let models = state.platform().gateway.models().await.map_err(Refusal::of_gateway)?;
    let models: Vec<Value> =
        models.iter().filter(|model| program.may_ask(&model.name)).map(|m| told(&m.name)).collect();
    Ok(Json(json!({ "object": "list", "data": models })))
}

pub(in super::super) async fn show(
    State(state): State<WebState>,
    program: Program,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let models = state.platform().gateway.models().await.map_err(Refusal::of_gateway)?;
    let found = models.iter().find(|model| model.name == id && program.may_ask(&id));
    found.map(|model| Json(told(&model.name))).ok_or_else(|| Refusal::unknown_model(&id))
}

/// Whose they are, and since when, is the operator's business.
fn told(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "seam" })
}
