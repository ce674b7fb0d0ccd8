//! `seam doctor --isolation`: two throw-away tenants on an installation that serves, one full of markers, the other
//! asking for everything. What it finds is the verdict; both tenants are deleted afterwards, whatever it is.

use super::{Call, Names, Needs, Things, table};
use crate::http::COOKIE;
use contract::{Email, KeyId, KeyScope, NanoUsd, Password, Role, Slug, TenantId};
use serde_json::{Value, json};
use std::time::Duration;
use tenancy::{NewKey, NewTenant, OperatorScope, Secret, Tenancy, TenancyError};
use uuid::Uuid;

/// A request that takes longer than this is a failure of its own.
const PATIENCE: Duration = Duration::from_secs(60);
/// A guessed password would count against this machine's address.
const LEFT_OUT: [&str; 1] = ["POST /api/ui/sign-in"];

/// What the check found.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Calls that were made as the other tenant, and as nobody.
    pub calls: usize,
    /// How much was read in all.
    pub bytes: usize,
    /// Places in which a marker was planted.
    pub markers: usize,
    /// What was told to whom, or answered differently from what never was. Must be none.
    pub leaks: Vec<String>,
}

/// Why no verdict could be given.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("{url} does not answer ({source}); start Seam, or say where it serves with --url")]
    Unreachable { url: String, source: reqwest::Error },
    #[error("another installation answers at {url}; say where the one with this data serves, with --url")]
    Another { url: String },
    #[error("{what} failed with status {status}: {said}")]
    Refused { what: String, status: u16, said: String },
    #[error("{0}")]
    Client(reqwest::Error),
    #[error("{what} could not be read")]
    Unreadable { what: &'static str },
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
}

/// Two tenants that were made for a check; to be deleted.
#[derive(Debug, Clone, Default)]
pub struct ThrowAway {
    pub tenants: Vec<(TenantId, Slug)>,
}

/// Somebody with a cookie.
struct Visitor<'c> {
    client: &'c reqwest::Client,
    url: &'c str,
    cookie: Option<String>,
}

struct Answer {
    status: u16,
    headers: String,
    text: String,
}

impl Visitor<'_> {
    async fn send(&mut self, call: &Call) -> Result<Answer, CheckError> {
        let address = format!("{}{}", self.url, call.path());
        let mut request = match call.body() {
            Some((media, body)) => self.client.post(address).header("content-type", media).body(body),
            None => self.client.get(address),
        };
        request = request.header("accept", if call.is_page() { "text/html" } else { "application/json" });
        request = request.header("sec-fetch-site", "same-origin");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let unreachable = |source| CheckError::Unreachable { url: self.url.to_owned(), source };
        let answer = request.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        if let Some(session) = set
            .filter_map(|set| set.split(';').next())
            .find(|pair| pair.split_once('=').is_some_and(|(name, _)| name == COOKIE))
        {
            self.cookie = Some(session.to_owned());
        }
        Ok(Answer { status, headers, text: answer.text().await.map_err(CheckError::Client)? })
    }

    /// A call that must work: planting.
    async fn must(&mut self, call: &Call) -> Result<Value, CheckError> {
        let answer = self.send(call).await?;
        if answer.status >= 400 {
            let said = answer.text.chars().take(300).collect();
            return Err(CheckError::Refused { what: call.path().to_owned(), status: answer.status, said });
        }
        Ok(serde_json::from_str(&answer.text).unwrap_or(Value::Null))
    }
}

/// A tenant of the check, its people signed in.
struct Planted<'c> {
    things: Things,
    markers: Vec<String>,
    admin: Visitor<'c>,
    member: Visitor<'c>,
}

/// Makes the two tenants. What was made stands in `made` also when something fails, so that it can be deleted.
pub async fn prepare(tenancy: &Tenancy, made: &mut ThrowAway) -> Result<(), CheckError> {
    let run = Uuid::now_v7().simple().to_string();
    let run = run.get(20..).unwrap_or_default().to_owned();
    for name in ["one", "other"] {
        let slug: Slug = format!("isolation-{name}-{run}").parse().map_err(|_| unreadable("a short name"))?;
        let new = NewTenant {
            slug,
            display_name: format!("Isolation check, {name}"),
            plan: None,
            monthly_budget: Some(NanoUsd::from_nanos(10_000_000)),
            soft_budget: None,
            region: None,
            zero_retention: false,
        };
        let tenant = tenancy.tenant_create(new).await?;
        made.tenants.push((tenant.id, tenant.slug));
    }
    Ok(())
}

const fn unreadable(what: &'static str) -> CheckError {
    CheckError::Unreadable { what }
}

/// Plants markers in the first tenant and seeks them as the second.
pub async fn check(tenancy: &Tenancy, url: &str, made: &ThrowAway) -> Result<Verdict, CheckError> {
    let client = client()?;
    let url = url.trim_end_matches('/');
    let [one, other] = made.tenants.as_slice() else { return Err(unreadable("the tenants of the check")) };
    let one = plant(tenancy, &client, url, one).await?;
    let mut other = plant(tenancy, &client, url, other).await?;
    let mut verdict = Verdict { markers: one.markers.len(), ..Verdict::default() };
    let mut nobody = Visitor { client: &client, url, cookie: None };
    for entry in table().iter().filter(|entry| !LEFT_OUT.contains(&entry.route)) {
        if entry.names == Names::Nothing && entry.destroys() {
            continue;
        }
        let call = (entry.call)(&one.things);
        for (who, visitor) in [("nobody", &mut nobody), ("an admin", &mut other.admin), ("a member", &mut other.member)]
        {
            let answer = visitor.send(&call).await?;
            verdict.calls += 1;
            verdict.bytes += answer.text.len();
            let said = call.text();
            for marker in one.markers.iter().filter(|marker| !said.contains(marker.as_str())) {
                if answer.text.contains(marker.as_str()) || answer.headers.contains(marker.as_str()) {
                    verdict.leaks.push(format!("{} tells {who} of the other tenant “{marker}”", entry.route));
                }
            }
            let open = entry.needs == Needs::Nothing || entry.names == Names::Nothing || entry.names == Names::Idle;
            let turned_away = match (who, call.is_page()) {
                ("nobody", true) => answer.status == 302,
                ("nobody", false) => answer.status == 401,
                (_, _) => matches!(answer.status, 403 | 404),
            };
            if !open && !turned_away {
                verdict.leaks.push(format!("{} answers {} to {who} of the other tenant", entry.route, answer.status));
            }
        }
    }
    Ok(verdict)
}

fn client() -> Result<reqwest::Client, CheckError> {
    // Refused only when it was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "it speaks to this very server, never to a provider")]
    let builder = reqwest::Client::builder();
    builder.redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().map_err(CheckError::Client)
}

/// Whether this very installation answers there: nothing is made that only its server could remove.
///
/// # Errors
/// `Unreachable`, `Another`, `Refused`.
pub async fn reach(tenancy: &Tenancy, url: &str) -> Result<(), CheckError> {
    let (operator, client) = (OperatorScope::command_line(), client()?);
    let address = |path: &str| format!("{}{path}", url.trim_end_matches('/'));
    let unreachable = |source| CheckError::Unreachable { url: url.to_owned(), source };
    let ready = client.get(address("/readyz")).send().await.map_err(unreachable)?;
    refused(format!("GET {}", address("/readyz")), ready).await?;
    let (key, secret) = own_key(tenancy, &operator).await?;
    let answer = client.get(address("/api/v1/tenants?per_page=1")).bearer_auth(secret.expose()).send().await;
    tenancy.operator_key_revoke(&operator, key).await?;
    let answer = answer.map_err(unreachable)?;
    if answer.status().as_u16() == 401 {
        return Err(CheckError::Another { url: url.to_owned() });
    }
    refused("listing tenants".to_owned(), answer).await
}

async fn refused(what: String, answer: reqwest::Response) -> Result<(), CheckError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let said = answer.text().await.unwrap_or_default().chars().take(300).collect();
    Err(CheckError::Refused { what, status: status.as_u16(), said })
}

/// A key for the purposes of one check.
async fn own_key(tenancy: &Tenancy, operator: &OperatorScope) -> Result<(KeyId, Secret), CheckError> {
    let expires_at = Some(tenancy.clock().now().plus_millis(600_000));
    let new = NewKey { name: "isolation check".to_owned(), scopes: KeyScope::ALL.to_vec(), models: None, expires_at };
    Ok(tenancy.operator_key_create(operator, &new).await?)
}

/// Deletes the two tenants through the server, which holds their stores open: with a key for this one purpose.
pub async fn remove(tenancy: &Tenancy, url: &str, made: &ThrowAway) -> Result<(), CheckError> {
    let (operator, client) = (OperatorScope::command_line(), client()?);
    let (key, secret) = own_key(tenancy, &operator).await?;
    let mut removed = Ok(());
    for (_, slug) in &made.tenants {
        let address = format!("{}/api/v1/tenants/{slug}?confirm={slug}", url.trim_end_matches('/'));
        let answer = client.delete(address).bearer_auth(secret.expose()).send().await;
        let answer = answer.map_err(|source| CheckError::Unreachable { url: url.to_owned(), source });
        removed = removed.and(match answer {
            Ok(answer) => refused(format!("deleting {slug}"), answer).await,
            Err(error) => Err(error),
        });
    }
    tenancy.operator_key_revoke(&operator, key).await?;
    removed
}

async fn plant<'c>(
    tenancy: &Tenancy,
    client: &'c reqwest::Client,
    url: &'c str,
    (tenant, slug): &(TenantId, Slug),
) -> Result<Planted<'c>, CheckError> {
    let mark = |place: &str| format!("canary{place}{}", Uuid::now_v7().simple());
    let (mut admin, admin_email, _) = person(tenancy, client, url, *tenant, &mark("admin"), Role::Admin).await?;
    let (mut member, member_email, user) = person(tenancy, client, url, *tenant, &mark("member"), Role::Member).await?;
    let (words, title, key_name) = (mark("text"), mark("title"), mark("key"));
    let invited = format!("{}@isolation.invalid", mark("invited"));

    let message = json!({ "message": { "conversation": null, "text": words, "model": null } });
    let asked = member.must(&function("message-send", message)).await?;
    let id = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let asked_id = |name| id(&asked, name).ok_or(unreadable("the answer to a message"));
    let conversation = asked_id("/conversation")?;
    let wait = json!({ "id": conversation, "older_than": null, "wait": true });
    member.must(&function("conversation-open", wait)).await?;
    member.must(&form("conversation-rename", &[("id", &conversation), ("title", &title)])).await?;
    admin.must(&form("key-create", &[("name", &key_name), ("may", "inference"), ("models", "")])).await?;
    let list = json!({ "query": { "words": "", "page": 1, "order": "-created" } });
    let keys = admin.must(&function("keys", list)).await?;
    admin.must(&form("member-invite", &[("email", &invited), ("role", "viewer")])).await?;
    let query = json!({ "query": { "words": "", "page": 1 } });
    let members = admin.must(&function("members", query)).await?;
    let things = Things {
        tenant: tenant.to_string(),
        slug: slug.to_string(),
        question: asked_id("/message")?,
        answer: asked_id("/answer")?,
        run: asked_id("/run")?,
        conversation,
        member: user,
        address: member_email.clone(),
        key: id(&keys, "/keys/items/0/id").ok_or(unreadable("the key"))?,
        invitation: id(&members, "/invitations/0/id").ok_or(unreadable("the invitation"))?,
        words,
        ..Things::nowhere()
    };
    let mut markers: Vec<String> = things.each().map(str::to_owned).to_vec();
    markers.extend([title, key_name, invited, admin_email, member_email]);
    Ok(Planted { things, markers, admin, member })
}

fn function(name: &str, body: Value) -> Call {
    Call::Json(format!("/api/ui/{name}"), body)
}

fn form(name: &str, fields: &[(&'static str, &str)]) -> Call {
    Call::Form(format!("/api/ui/{name}"), fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
}

/// An account with a random password, a member of the tenant, signed in.
async fn person<'c>(
    tenancy: &Tenancy,
    client: &'c reqwest::Client,
    url: &'c str,
    tenant: TenantId,
    name: &str,
    role: Role,
) -> Result<(Visitor<'c>, String, String), CheckError> {
    let text = format!("{name}@isolation.invalid");
    let email: Email = text.parse().map_err(|_| unreadable("an address"))?;
    let secret = format!("{}-{}", Uuid::new_v4(), Uuid::new_v4());
    let password = Password::chosen(secret.clone()).map_err(|_| unreadable("a password"))?;
    let user = tenancy.user_create(email, Some(password), false).await?;
    tenancy.member_add(tenant, user, role).await?;
    let mut visitor = Visitor { client, url, cookie: None };
    visitor.must(&form("sign-in", &[("email", &text), ("password", &secret)])).await?;
    Ok((visitor, text, user.to_string()))
}
