//! The management API: who may do what with which key, and that what is another tenant's is not there.

use crate::browser::{Answer, Server, get, post};
use axum::body::{Body, HttpBody};
use contract::{KeyId, KeyScope, Role, TenantId};
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tenancy::{NewKey, OperatorScope, Secret, TenancyError};

pub const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
pub const PROBLEM: &str = "application/problem+json";

/// A program with a key, or without.
pub struct Program<'s> {
    server: &'s Server,
    key: Option<String>,
    document: Value,
}

impl<'s> Program<'s> {
    pub async fn with(server: &'s Server, key: Option<String>) -> Self {
        let document = server.browser().get("/api/openapi.json").await.json();
        Self { server, key, document }
    }

    pub async fn operator(server: &'s Server) -> Self {
        let operator = OperatorScope::command_line();
        let make = async |key: NewKey| server.platform.tenancy.operator_key_create(&operator, &key).await;
        Self::with(server, Some(made("billing", &KeyScope::ALL, make).await)).await
    }

    /// A key of a tenant, which is made if need be.
    pub async fn tenant(server: &'s Server, slug: &str, may: &[KeyScope]) -> Self {
        let tenant = tenant(server, slug).await;
        let scope = server.platform.tenancy.command_line_scope(tenant);
        let make = async |key: NewKey| server.platform.tenancy.key_create(&scope, &key).await;
        Self::with(server, Some(made("ci", may, make).await)).await
    }

    pub async fn manager(server: &'s Server, slug: &str) -> Self {
        Self::tenant(server, slug, &[KeyScope::Manage]).await
    }

    /// Sends a request, and makes sure that what comes back was promised.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(method, path, body.map_or_else(Body::empty, |body| body.to_string().into())).await
    }

    /// The same with a body that may be anything.
    pub async fn send(&self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(path).header(header::HOST, "seam.test");
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if body.size_hint().exact() != Some(0) {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body).unwrap();
        let answer = self.server.browser().send(request).await;
        self.promised(&method, path, &answer);
        answer
    }

    fn promised(&self, method: &Method, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let paths = self.document["paths"].as_object().unwrap();
        let like = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(path).all(|(part, given)| part.starts_with('{') || *part == given)
        };
        let (template, item) = paths.iter().find(|(template, _)| like(template)).unwrap();
        let operation = &item[method.as_str().to_lowercase()];
        let status = answer.status.as_u16().to_string();
        let response = &operation["responses"][&status];
        assert!(
            response.is_object(),
            "{method} {template} answers {status}, which is not described: {}",
            answer.text()
        );
        let media = answer.header(header::CONTENT_TYPE);
        let described: Vec<_> = response["content"].as_object().into_iter().flatten().map(|(media, _)| media).collect();
        assert!(described.is_empty() == media.is_empty() && described.iter().all(|one| *one == media), "{media}");
        if media.ends_with("json") {
            self.fits(&response["content"][media]["schema"], &answer.json(), template);
        }
    }

    /// Every field that is sent is described, and every field that is promised is sent.
    fn fits(&self, schema: &Value, sent: &Value, place: &str) {
        let schema = match schema["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        };
        if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), sent.as_object()) {
            for (name, value) in fields {
                let property = properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
                self.fits(property, value, &format!("{place}.{name}"));
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(name.as_str().unwrap()), "{place}: {name} is promised and not sent");
            }
        }
        for (index, item) in sent.as_array().into_iter().flatten().enumerate() {
            self.fits(&schema["items"], item, &format!("{place}[{index}]"));
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// Whether the document says that this key of a tenant may try it.
    pub fn for_tenants(&self, method: &Method, path: &str) -> bool {
        let security = &self.document["paths"][path][method.as_str().to_lowercase()]["security"];
        security.as_array().unwrap().iter().any(|one| one.get("tenant_key").is_some())
    }
}

/// The secret of a new key: those that work have different names, so that the second of a test has a number.
async fn made(
    name: &str,
    may: &[KeyScope],
    make: impl AsyncFn(NewKey) -> Result<(KeyId, Secret), TenancyError>,
) -> String {
    let mut key = make(new_key(name, may)).await;
    for number in 2.. {
        match key {
            Err(TenancyError::AlreadyExists { .. }) => key = make(new_key(&format!("{name} {number}"), may)).await,
            Ok(_) | Err(_) => break,
        }
    }
    key.unwrap().1.expose().to_owned()
}

fn new_key(name: &str, may: &[KeyScope]) -> NewKey {
    NewKey { name: name.to_owned(), scopes: may.to_vec(), models: None, expires_at: None }
}

async fn tenant(server: &Server, slug: &str) -> TenantId {
    if let Some(there) = server.platform.tenancy.tenant_by_slug(&slug.parse().unwrap()).await.unwrap() {
        return there.id;
    }
    server.tenant(slug, &format!("first@{slug}.test")).await.0
}

/// A path with something in place of each parameter.
fn filled(path: &str, id: &str) -> String {
    path.replace("{name}", "acme").replace("{id}", id)
}

pub fn field(answer: &Answer) -> String {
    assert_eq!(answer.problem(), (422, PROBLEM.to_owned(), "invalid_input".to_owned()), "{}", answer.text());
    answer.json()["errors"][0]["field"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_route_opens_for_its_keys_alone() {
    let server = Server::start().await;
    let (stranger, operator) = (Program::with(&server, None).await, Program::operator(&server).await);
    let unknown = Program::with(&server, Some(format!("sk-seam-{}", "x".repeat(43)))).await;
    let own = Program::manager(&server, "acme").await;
    let caller = Program::tenant(&server, "acme", &[KeyScope::Inference]).await;
    let routes = seam::management_routes();
    assert!(routes.len() > 25, "{routes:?}");
    for (method, template) in routes {
        let path = filled(&template, NOBODY);
        for nobody in [&stranger, &unknown] {
            let answer = nobody.call(method.clone(), &path, None).await;
            assert_eq!(answer.problem(), (401, PROBLEM.to_owned(), "not_signed_in".to_owned()), "{method} {path}");
            assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer", "{method} {path}");
        }
        let answer = caller.call(method.clone(), &path, None).await;
        assert_eq!(answer.problem(), (403, PROBLEM.to_owned(), "permission_denied".to_owned()), "{method} {path}");
        assert!(answer.text().contains("manage"), "{}", answer.text());
        let refused = own.call(method.clone(), &path, None).await.status == StatusCode::FORBIDDEN;
        assert_eq!(refused, !own.for_tenants(&method, &template), "{method} {path}");
        // The operator's own answer may be anything but a refusal of who asks.
        let answer = operator.call(method.clone(), &path, None).await;
        assert!(!matches!(answer.status.as_u16(), 401 | 403 | 500..), "{method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_session_opens_nothing_here() {
    let server = Server::start().await;
    let browser = server.member("acme", "ada@acme.test").await;
    for (method, template) in seam::management_routes() {
        let mut request = post(&filled(&template, NOBODY), "application/json", "{}");
        *request.method_mut() = method.clone();
        assert_eq!(browser.send(request).await.status, StatusCode::UNAUTHORIZED, "{method} {template}");
    }
}

#[tokio::test]
async fn a_key_that_ended_opens_nothing_and_says_no_more_than_an_unknown_one() {
    let server = Server::start().await;
    let acme = tenant(&server, "acme").await;
    let (tenancy, scope) = (&server.platform.tenancy, server.platform.tenancy.command_line_scope(acme));
    let (id, secret) = tenancy.key_create(&scope, &new_key("old", &KeyScope::ALL)).await.unwrap();
    tenancy.key_revoke(&scope, id).await.unwrap();
    let soon = tenancy.clock().now().plus_millis(30);
    let short = NewKey { expires_at: Some(soon), ..new_key("short", &KeyScope::ALL) };
    let (_, expired) = tenancy.key_create(&scope, &short).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    let mut said = Vec::new();
    for key in [secret.expose(), expired.expose(), &format!("sk-seam-{}", "x".repeat(43)), "nonsense", ""] {
        let answer = Program::with(&server, Some(key.to_owned())).await.get("/api/v1/members").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        said.push(answer.text());
    }
    assert!(said.windows(2).all(|two| two[0] == two[1]), "{said:?}");
}

#[tokio::test]
async fn another_tenants_things_are_answered_like_what_does_not_exist() {
    let server = Server::start().await;
    let (ada, eve) = (Program::manager(&server, "acme").await, Program::manager(&server, "globex").await);
    let member = ada.get("/api/v1/members").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let key = ada.get("/api/v1/keys").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let invited = ada.post("/api/v1/invitations", json!({ "email": "c@acme.test", "role": "viewer" })).await.json();
    let invitation = invited["invitation"]["id"].as_str().unwrap().to_owned();
    for (kind, id, change) in [
        ("members", &member, Some(json!({ "role": "viewer" }))),
        ("keys", &key, None),
        ("invitations", &invitation, None),
    ] {
        let mut acts = vec![(Method::GET, None), (Method::DELETE, None)];
        acts.extend(change.map(|body| (Method::PATCH, Some(body))));
        for (method, body) in acts {
            let hers = eve.call(method.clone(), &format!("/api/v1/{kind}/{id}"), body.clone()).await;
            let nobodys = eve.call(method.clone(), &format!("/api/v1/{kind}/{NOBODY}"), body.clone()).await;
            let nothing = eve.call(method.clone(), &format!("/api/v1/{kind}/nonsense"), body).await;
            assert_eq!(hers.status, StatusCode::NOT_FOUND, "{method} {kind}: {}", hers.text());
            assert_eq!((hers.text(), hers.headers.len()), (nobodys.text(), nobodys.headers.len()), "{method} {kind}");
            assert_eq!(hers.text(), nothing.text(), "{method} {kind}");
        }
    }
    let acme = tenant(&server, "acme").await.to_string();
    for (method, template) in seam::management_routes() {
        if !eve.for_tenants(&method, &template) || template.contains("/tenants") {
            continue;
        }
        let body = (method == Method::POST || method == Method::PATCH)
            .then(|| json!({ "role": "viewer", "email": "x@y.test", "name": "x" }));
        let body = body.filter(|_| method == Method::GET).or(None);
        let path = filled(&template, NOBODY);
        if matches!(method, Method::POST | Method::PATCH | Method::PUT) {
            continue;
        }
        let mut said = Vec::new();
        for named in ["acme", acme.as_str(), "nowhere", NOBODY, "%20"] {
            let answer = eve.call(method.clone(), &format!("{path}?tenant={named}"), body.clone()).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path} {named}: {}", answer.text());
            said.push(answer.text());
        }
        assert!(said.windows(2).all(|two| two[0] == two[1]), "{said:?}");
    }
    let tenants = eve.get("/api/v1/tenants").await;
    assert!(tenants.text().contains("globex") && !tenants.text().contains("acme"), "{}", tenants.text());
    let (hers, nobodys) = (eve.get("/api/v1/tenants/acme").await, eve.get("/api/v1/tenants/nowhere").await);
    assert_eq!((hers.status, hers.text()), (StatusCode::NOT_FOUND, nobodys.text()));
    // None of it did anything.
    assert_eq!(ada.get(&format!("/api/v1/members/{member}")).await.json()["role"], "member");
    assert_eq!(ada.get(&format!("/api/v1/keys/{key}")).await.json()["revoked_at"], Value::Null);
    assert_eq!(ada.get(&format!("/api/v1/invitations/{invitation}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_another_tenants_takes_no_longer_to_refuse_than_nothing() {
    let server = Server::start().await;
    let (ada, eve) = (Program::manager(&server, "acme").await, Program::manager(&server, "globex").await);
    let key = ada.get("/api/v1/keys").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let (mut hers, mut nobodys) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        for (id, times) in [(key.as_str(), &mut hers), (NOBODY, &mut nobodys)] {
            let started = Instant::now();
            eve.get(&format!("/api/v1/keys/{id}")).await;
            times.push(started.elapsed());
        }
    }
    hers.sort_unstable();
    nobodys.sort_unstable();
    let (hers, nobodys) = (hers[30], nobodys[30]);
    let apart = hers.abs_diff(nobodys);
    assert!(apart < nobodys / 2 + Duration::from_millis(1), "{hers:?} and {nobodys:?}");
}

#[tokio::test]
async fn an_operator_opens_changes_and_suspends_a_tenant() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let body = json!({ "name": "acme", "display_name": "Acme", "monthly_budget": "50.00", "admin": "ada@acme.test" });
    let made = operator.post("/api/v1/tenants", body.clone()).await;
    assert_eq!((made.status, made.header(header::LOCATION)), (StatusCode::CREATED, "/api/v1/tenants/acme"));
    let made = made.json();
    assert_eq!(made["tenant"]["monthly_budget"], "50");
    assert!(made["invitation_link"].as_str().unwrap().starts_with("http://seam.test/invite/"));
    let again = operator.post("/api/v1/tenants", body).await;
    assert_eq!((again.status, again.json()["errors"][0]["field"].clone()), (StatusCode::CONFLICT, json!("name")));
    let id = made["tenant"]["id"].as_str().unwrap();
    let changed =
        operator.patch(&format!("/api/v1/tenants/{id}"), json!({ "region": "eu", "monthly_budget": null })).await;
    let changed = changed.json();
    assert_eq!((&changed["region"], &changed["monthly_budget"]), (&json!("eu"), &Value::Null));
    assert_eq!(changed["display_name"], "Acme", "what is left out stays");
    for (bad, name) in [
        (json!({ "plan": "gold" }), "plan"),
        (json!({ "monthly_budget": "a lot" }), "monthly_budget"),
        (json!({ "soft_budget": "-1" }), "soft_budget"),
        (json!({ "zero_retention": "yes" }), "zero_retention"),
        (json!({ "display_name": "" }), "display_name"),
        (json!({ "display_name": null }), "display_name"),
        (json!({ "zero_retention": null }), "zero_retention"),
        (json!({ "regoin": "eu" }), "regoin"),
    ] {
        assert_eq!(field(&operator.patch("/api/v1/tenants/acme", bad).await), name);
    }
    let own = Program::manager(&server, "acme").await;
    assert_eq!(field(&operator.post("/api/v1/tenants/acme/suspend", json!({ "reason": "" })).await), "reason");
    let reason = json!({ "reason": "unpaid since May" });
    let suspended = operator.post("/api/v1/tenants/acme/suspend", reason).await;
    assert_eq!(suspended.json()["suspended_for"], "unpaid since May");
    let shut = own.get("/api/v1/members").await;
    assert_eq!(shut.status, StatusCode::FORBIDDEN);
    assert!(shut.text().contains("unpaid since May"), "{}", shut.text());
    assert_eq!(
        operator.get("/api/v1/members?tenant=acme").await.status,
        StatusCode::OK,
        "the operator still manages it"
    );
    let resumed = operator.call(Method::POST, "/api/v1/tenants/acme/resume", None).await;
    assert_eq!(resumed.json()["suspended_for"], Value::Null);
    assert_eq!(own.get("/api/v1/members").await.status, StatusCode::OK);
    for log in ["/api/v1/audit?q=tenant.", "/api/v1/audit?tenant=acme&q=tenant."] {
        let entries = operator.get(log).await.json();
        let actions: Vec<_> = entries["data"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
        assert_eq!(actions, ["tenant.resume", "tenant.suspend", "tenant.change", "tenant.create"], "{log}");
        let change = &entries["data"][2];
        assert!(change["actor"].as_str().unwrap().starts_with("key:") && change["name"] == "billing", "{change}");
        let expected = json!({
            "before": { "region": null, "monthly_budget": "50" }, "after": { "region": "eu", "monthly_budget": null },
        });
        assert_eq!(change["change"], expected);
    }
}

#[tokio::test]
async fn a_tenants_key_manages_its_people_and_keys() {
    let server = Server::start().await;
    let own = Program::manager(&server, "acme").await;
    let (acme, ada) = (tenant(&server, "acme").await, server.tenant("acme", "ada@acme.test").await.1);
    server.platform.tenancy.member_add(acme, ada, Role::Admin).await.unwrap();
    let invite = own.post("/api/v1/invitations", json!({ "email": "c@acme.test", "role": "member" })).await;
    assert_eq!(invite.status, StatusCode::CREATED, "{}", invite.text());
    let invite = invite.json();
    assert_eq!(own.get("/api/v1/invitations").await.json()["total"], 1);
    let again = own.post("/api/v1/invitations", json!({ "email": "ada@acme.test", "role": "member" })).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let id = invite["invitation"]["id"].as_str().unwrap();
    assert_eq!(own.delete(&format!("/api/v1/invitations/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(own.get("/api/v1/invitations").await.json()["total"], 0);

    let members = own.get("/api/v1/members?sort=-name&per_page=1").await.json();
    assert_eq!((&members["total"], &members["data"][0]["email"]), (&json!(2), &json!("first@acme.test")));
    let last = own.patch(&format!("/api/v1/members/{ada}"), json!({ "role": "viewer" })).await;
    assert_eq!(last.status, StatusCode::CONFLICT, "{}", last.text());
    let first = members["data"][0]["id"].as_str().unwrap();
    let changed = own.patch(&format!("/api/v1/members/{first}"), json!({ "role": "viewer" })).await;
    assert_eq!(changed.json()["role"], "viewer");
    assert_eq!(own.delete(&format!("/api/v1/members/{first}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(own.get(&format!("/api/v1/members/{first}")).await.status, StatusCode::NOT_FOUND);

    let made = own.post("/api/v1/keys", json!({ "name": "app", "models": ["sim"], "expires_at": "2099-01-01" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    let secret = made["secret"].as_str().unwrap();
    let key = own.get(&format!("/api/v1/keys/{}", made["id"].as_str().unwrap())).await;
    assert!(!key.text().contains(secret));
    let key = key.json();
    assert_eq!((&key["scopes"], &key["models"], &key["name"]), (&json!(["inference"]), &json!(["sim"]), &json!("app")));
    assert_eq!(key["expires_at"], 4_070_995_199_999_i64, "with the last moment of the day");
    let holder = server.platform.tenancy.authenticate_key(secret, [192, 0, 2, 1].into()).await.unwrap();
    assert!(holder.is_some());
    let id = made["id"].as_str().unwrap();
    assert_eq!(own.delete(&format!("/api/v1/keys/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(own.delete(&format!("/api/v1/keys/{id}")).await.status, StatusCode::NOT_FOUND);
    let holder = server.platform.tenancy.authenticate_key(secret, [192, 0, 2, 1].into()).await.unwrap();
    assert!(holder.is_none());
    for (bad, name) in [
        (json!({ "name": "" }), "name"),
        (json!({ "scopes": ["inference"] }), "name"),
        (json!({ "name": "x", "scopes": ["everything"] }), "scopes"),
        (json!({ "name": "x", "scopes": [] }), "scopes"),
        (json!({ "name": "x", "models": [] }), "models"),
        (json!({ "name": "x", "expires_at": "2020-01-01" }), "expires_at"),
        (json!({ "name": "x", "expires_at": "tomorrow" }), "expires_at"),
        (json!({ "name": "x", "budget": "5.00" }), "budget"),
    ] {
        assert_eq!(field(&own.post("/api/v1/keys", bad).await), name);
    }
    for (query, names) in [
        ("state=revoked", vec!["app"]),
        ("state=active&sort=name", vec!["ci"]),
        ("q=AP&sort=-expires", vec!["app"]),
        ("sort=name&per_page=1&page=2", vec!["ci"]),
    ] {
        let listed = own.get(&format!("/api/v1/keys?{query}")).await.json();
        let found: Vec<_> =
            listed["data"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{query}");
    }
    for (query, name) in [("state=dead", "state"), ("sort=size", "sort")] {
        assert_eq!(field(&own.get(&format!("/api/v1/keys?{query}")).await), name);
    }
    let log = own.get("/api/v1/audit?per_page=2").await.json();
    assert_eq!(log["data"].as_array().unwrap().len(), 2);
    let next = log["next"].as_str().unwrap();
    let older = own.get(&format!("/api/v1/audit?per_page=200&before={next}")).await.json();
    assert_eq!((&older["next"], &older["data"][0]["seq"]), (&Value::Null, &json!(next.parse::<i64>().unwrap() - 1)));
}

#[tokio::test]
async fn an_operators_key_makes_and_ends_keys_of_its_own_kind_and_of_tenants() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    tenant(&server, "acme").await;
    let made = operator.post("/api/v1/operator-keys", json!({ "name": "second" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    let second = Program::with(&server, made["secret"].as_str().map(str::to_owned)).await;
    assert_eq!(second.get("/api/v1/tenants").await.json()["total"], 1);
    let id = made["id"].as_str().unwrap();
    assert_eq!(operator.get(&format!("/api/v1/operator-keys/{id}")).await.json()["name"], "second");
    assert_eq!(operator.get("/api/v1/operator-keys").await.json()["total"], 2);
    assert_eq!(second.delete(&format!("/api/v1/operator-keys/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(second.get("/api/v1/tenants").await.status, StatusCode::UNAUTHORIZED);

    let key = operator.post("/api/v1/keys?tenant=acme", json!({ "name": "by-operator", "scopes": ["manage"] })).await;
    assert_eq!(key.status, StatusCode::CREATED, "{}", key.text());
    let own = Program::with(&server, key.json()["secret"].as_str().map(str::to_owned)).await;
    let log = own.get("/api/v1/audit").await.json();
    assert_eq!((&log["data"][0]["action"], &log["data"][0]["name"]), (&json!("key.create"), &json!("billing")));
    assert_eq!(field(&operator.get("/api/v1/keys").await), "tenant");
    assert_eq!(operator.get("/api/v1/keys?tenant=nowhere").await.status, StatusCode::NOT_FOUND);

    let users = operator.get("/api/v1/users?q=first@acme").await.json();
    let user = users["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!((&users["total"], &users["data"][0]["tenant"]), (&json!(1), &json!("acme")));
    let out = operator.call(Method::POST, &format!("/api/v1/users/{user}/sign-out"), None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    let promoted = operator.patch(&format!("/api/v1/users/{user}"), json!({ "operator": true })).await;
    assert_eq!(promoted.status, StatusCode::NO_CONTENT);
    let last = operator.patch(&format!("/api/v1/users/{user}"), json!({ "operator": false })).await;
    assert_eq!(last.status, StatusCode::CONFLICT);
    assert_eq!(operator.get("/api/v1/plans").await.json()["total"], 0);
}

#[tokio::test]
async fn no_route_ignores_a_parameter_that_it_does_not_know() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    for (method, template) in seam::management_routes() {
        let path = format!("{}?nonsense=1", filled(&template, NOBODY));
        let body = matches!(method, Method::POST | Method::PUT | Method::PATCH).then(|| json!({}));
        let refused = operator.call(method.clone(), &path, body).await;
        assert_eq!(field(&refused), "nonsense", "{method} {path}: {}", refused.text());
    }
}

#[tokio::test]
async fn queries_and_bodies_are_bounded_and_every_field_is_known() {
    let server = Server::start().await;
    let own = Program::manager(&server, "acme").await;
    for (query, name, word) in [
        ("per_page=0", "per_page", "200"),
        ("per_page=201", "per_page", "200"),
        ("page=0", "page", "1000000"),
        ("page=x", "page", "page"),
        ("pgae=2", "pgae", "did you mean “page”"),
        ("sort=size", "sort", "-created"),
        ("page=1&page=2", "page", "more than once"),
        (&*format!("q={}", "x".repeat(201)), "q", "200"),
    ] {
        let answer = own.get(&format!("/api/v1/members?{query}")).await;
        assert_eq!(field(&answer), name, "{query}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{}", answer.text());
    }
    let far = own.get("/api/v1/members?page=999999").await.json();
    assert_eq!((far["data"].as_array().unwrap().len(), &far["total"]), (0, &json!(1)));
    let wild = own.get("/api/v1/members?q=%25").await.json();
    assert_eq!(wild["total"], 0, "a wildcard is taken literally");
    let near = own.post("/api/v1/keys", json!({ "nmae": "x" })).await;
    assert!(near.text().contains("did you mean “name”"), "{}", near.text());
    let two = own.post("/api/v1/keys", json!({ "nmae": "x", "name": "x", "scope": [] })).await.json();
    let fields: Vec<_> = two["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["nmae", "scope"], "{two}");
    for bad in ["before=0", "before=-1", "before=x"] {
        assert_eq!(field(&own.get(&format!("/api/v1/audit?{bad}")).await), "before", "{bad}");
    }
    for body in ["", "{", "[]", "null", "\"x\"", "{\"name\": 3}"] {
        let mut request = post("/api/v1/keys", "application/json", body);
        let key = format!("Bearer {}", own.key.as_deref().unwrap());
        request.headers_mut().insert(header::AUTHORIZATION, key.parse().unwrap());
        let answer = server.browser().send(request).await;
        assert_eq!(answer.problem().0, 422, "{body}: {}", answer.text());
    }
    let mut plain = post("/api/v1/keys", "text/plain", "{\"name\":\"x\"}");
    let key = format!("Bearer {}", own.key.as_deref().unwrap());
    plain.headers_mut().insert(header::AUTHORIZATION, key.parse().unwrap());
    assert!(server.browser().send(plain).await.text().contains("application/json"));
}

#[tokio::test]
async fn other_addresses_and_methods_are_told_to_programs() {
    let server = Server::start().await;
    for (method, path, status, code) in [
        (Method::GET, "/api/v1/nothing", 404, "not_found"),
        (Method::POST, "/api/v1/nothing", 404, "not_found"),
        (Method::PUT, "/api/v1/members", 405, "method_not_allowed"),
        (Method::PUT, "/api/v1/tenants/acme", 405, "method_not_allowed"),
    ] {
        let mut request = get(path);
        *request.method_mut() = method;
        let answer = server.browser().send(request).await;
        assert_eq!(answer.problem(), (status, PROBLEM.to_owned(), code.to_owned()), "{path}");
    }
}
