//! `POST /v1/embeddings`.

use super::super::{super::WebState, body::Object, caller::Program, refusal::Refusal, told};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use contract::RequestId;
use gateway::{CacheUse, EmbedRequest, dialects::openai_embeddings::EmbeddingsAsked};
use metering::Feature;
use tokio_util::sync::CancellationToken;

pub(in super::super) async fn create(
    State(state): State<WebState>,
    program: Program,
    Object(body): Object,
) -> Result<Response, Refusal> {
    let asked = EmbeddingsAsked::read(&body).map_err(|unusable| Refusal::unusable(&unusable))?;
    program.require_model(&asked.model)?;
    let cancel = CancellationToken::new();
    let request = EmbedRequest {
        request: RequestId::new(),
        model: asked.model.clone(),
        inputs: asked.inputs.clone(),
        dimensions: asked.dimensions,
        feature: Feature::Api,
        cancel: cancel.clone(),
    };
    let embedded = tokio::select! {
        biased;
        embedded = state.platform().gateway.embed(&program.scope, request) => embedded.map_err(Refusal::of_gateway)?,
        refusal = program.standing.lost() => {
            cancel.cancel();
            return Err(refusal);
        }
    };
    let mut response = Json(asked.answer(&embedded)).into_response();
    told::route(&mut response, &embedded.route);
    told::cache(&mut response, CacheUse::Bypass, state.platform().tenancy.clock().now());
    told::cost(&mut response, embedded.cost);
    Ok(response)
}
