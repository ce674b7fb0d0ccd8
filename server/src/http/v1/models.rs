//! `GET /v1/models`: what this key may ask for. Both dialects have this path.

use super::{super::WebState, caller::Program, dialect::Dialect, refusal::Refusal};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

pub(super) async fn list(
    State(state): State<WebState>,
    dialect: Dialect,
    program: Program,
) -> Result<Json<Value>, Refusal> {
    let models = state.platform().gateway.models().await.map_err(Refusal::of_gateway)?;
    let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).filter(|name| program.may_ask(name)).collect();
    let data: Vec<Value> = names.iter().map(|name| told(dialect, name)).collect();
    Ok(Json(match dialect {
        Dialect::OpenAi | Dialect::OpenAiResponses => json!({ "object": "list", "data": data }),
        Dialect::Anthropic => {
            json!({ "data": data, "has_more": false, "first_id": names.first(), "last_id": names.last() })
        }
    }))
}

pub(super) async fn show(
    State(state): State<WebState>,
    dialect: Dialect,
    program: Program,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let models = state.platform().gateway.models().await.map_err(Refusal::of_gateway)?;
    let found = models.iter().find(|model| model.name == id && program.may_ask(&id));
    found.map(|model| Json(told(dialect, &model.name))).ok_or_else(|| Refusal::unknown_model(&id))
}

/// Whose they are, and since when, is the operator's business.
fn told(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::OpenAi | Dialect::OpenAiResponses => {
            json!({ "id": name, "object": "model", "created": 0, "owned_by": "seam" })
        }
        Dialect::Anthropic => {
            json!({ "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z" })
        }
    }
}
