//! The description itself: its frame, and the answer of `/api/openapi.json`.

use super::refusal;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, header};
use std::sync::OnceLock;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, RefOr,
    path::Operation,
    schema::{AdditionalProperties, Schema},
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

/// In the order in which people read them.
const TAGS: [(&str, &str); 12] = [
    ("Tenants", "The operator's customers."),
    ("Plans", "What tenants can be on."),
    ("People", "Everybody who can sign in, whatever tenants they belong to."),
    ("Operator keys", "Keys that may do what the operator may."),
    ("Members", "A tenant's people."),
    ("Invitations", "Links with which people join a tenant."),
    ("Keys", "How programs reach a tenant."),
    ("Provider keys", "A tenant's own keys at providers."),
    ("Sign-in", "A tenant's identity provider, and the e-mail domains that it speaks for."),
    ("Log", "Who changed what: one chain of entries for each tenant, and one for the platform."),
    ("Usage and ledger", "What was asked of models, and what it cost."),
    ("Runs", "Answers as they are made. For the person whose answer it is, with their session."),
];

const OPERATOR_KEY: &str = "An operator's key begins with `sk-seam-op-`: `seam key create NAME --operator`.";
const TENANT_KEY: &str = "A tenant's key with the scope `manage` sees its own tenant only: \
                          `seam key create NAME --tenant TENANT --manage`.";

/// The document before there is any route in it.
pub(super) fn frame() -> OpenApi {
    let description = "The management API of Seam: what the consoles do, for programs. Ids are UUIDs, times are \
                       milliseconds since 1970 in UTC, money is decimal text in US dollars. What belongs to another \
                       tenant is answered like what does not exist. Unknown fields and parameters are refused.";
    let bearer = |what: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build())
    };
    let session = ApiKey::Cookie(ApiKeyValue::with_description(super::super::COOKIE, "A person's session"));
    let components = ComponentsBuilder::new()
        .schema("Problem", refusal::problem_schema())
        .security_scheme("operator_key", bearer(OPERATOR_KEY))
        .security_scheme("tenant_key", bearer(TENANT_KEY))
        .security_scheme("session", SecurityScheme::ApiKey(session))
        .build();
    let tags = TAGS.map(|(name, what)| TagBuilder::new().name(name).description(Some(what)).build());
    let info = InfoBuilder::new().title("Seam").version(env!("CARGO_PKG_VERSION")).description(Some(description));
    OpenApiBuilder::new().info(info.build()).components(Some(components)).tags(Some(tags)).build()
}

/// What a path does, method by method.
pub(super) fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// What an operation is called, in the document and as an anchor: method and path, such as `get-members-id`.
pub(super) fn name(method: &Method, path: &str) -> String {
    let path = path.trim_start_matches("/api/v1/").replace(['{', '}'], "").replace('/', "-");
    format!("{}-{path}", method.as_str().to_lowercase())
}

/// Gives each operation its own name: those of the handlers repeat.
pub(super) fn name_operations(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let all = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in all {
            if let Some(operation) = operation {
                operation.operation_id = Some(name(&method, path));
            }
        }
    }
}

/// Says of each body that it has no other fields than those: what is not known is refused.
pub(super) fn close_bodies(document: &mut OpenApi) {
    let operations = document.paths.paths.values().flat_map(operations);
    let bodies = operations.filter_map(|(_, operation)| match operation.request_body.as_ref()? {
        RefOr::T(body) => Some(&body.content),
        RefOr::Ref(_) => None,
    });
    let schemas = bodies.flatten().filter_map(|(_, content)| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    });
    let names: Vec<String> = schemas.filter_map(named).collect();
    let known = document.components.iter_mut().flat_map(|components| &mut components.schemas);
    for (_, schema) in known.filter(|(name, _)| names.contains(name)) {
        if let RefOr::T(Schema::Object(object)) = schema {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

fn named(schema: &RefOr<Schema>) -> Option<String> {
    match schema {
        RefOr::Ref(place) => place.ref_location.rsplit('/').next().map(str::to_owned),
        RefOr::T(_) => None,
    }
}

/// The document as it is sent. It changes with the program alone.
fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        super::document().to_pretty_json().unwrap_or_else(|error| {
            tracing::error!(%error, "the description of the API could not be written");
            "{}".to_owned()
        })
    })
}

/// `GET /api/openapi.json`: for everybody, kept for a while.
pub(super) async fn json() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, text()).into_response()
}
