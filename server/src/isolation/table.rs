//! Every route: who may use it, how it is called, and what it names.

use super::{Call, Things};
use serde_json::{Value, json};

/// The least that somebody must be. Each may what those before it may, except that operators have no tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Open to everybody.
    Nothing,
    /// Somebody who is signed in.
    Person,
    /// Of the tenant, in any role.
    Viewer,
    Member,
    Admin,
    Operator,
}

/// What becomes of a call that names a thing of another tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// It names nothing that belongs to anybody.
    Nothing,
    /// Not found, exactly as what never was.
    OfTheTenant,
    /// The same, also for the owner's colleagues.
    OfTheMember,
    /// It does nothing and says nothing, exactly as for what never was.
    Idle,
}

/// A route and all there is to say of it.
pub struct Entry {
    /// As the router tells it: `GET /chat/{id}`, or `ANY …`.
    pub route: &'static str,
    pub needs: Needs,
    pub names: Names,
    pub call: fn(&Things) -> Call,
}

impl Entry {
    /// Whether a call of it takes something away: things, sessions, rights.
    pub fn destroys(&self) -> bool {
        const ACTS: [&str; 9] =
            ["remove", "delete", "sign-out", "password", "revoke", "withdraw", "role-set", "suspend", "rename"];
        ACTS.iter().any(|act| self.route.contains(act))
    }
}

/// What a call that changes a password says that it is now.
pub const CURRENT_PASSWORD: &str = "correct horse battery";

const fn entry(route: &'static str, needs: Needs, names: Names, call: fn(&Things) -> Call) -> Entry {
    Entry { route, needs, names, call }
}

fn page(path: &str) -> Call {
    Call::Page(path.to_owned())
}

fn read(path: impl Into<String>) -> Call {
    Call::Read(path.into())
}

fn json_to(function: &str, body: Value) -> Call {
    Call::Json(format!("/api/ui/{function}"), body)
}

fn form(function: &str, fields: &[(&'static str, &str)]) -> Call {
    let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Call::Form(format!("/api/ui/{function}"), fields)
}

fn list(words: &str) -> Value {
    json!({ "query": { "words": words, "page": 1, "order": "-created" } })
}

/// In an order in which each call still finds what it names: what destroys comes last.
pub fn table() -> Vec<Entry> {
    use Names::{Idle, Nothing as No, OfTheMember as Own, OfTheTenant as Tenants};
    use Needs::{Admin, Member, Nothing, Operator, Person, Viewer};
    vec![
        // For machines and files.
        entry("GET /healthz", Nothing, No, |_| read("/healthz")),
        entry("GET /readyz", Nothing, No, |_| read("/readyz")),
        entry("GET /metrics", Nothing, No, |_| read("/metrics")),
        entry("GET /assets/{*path}", Nothing, No, |_| read("/assets/seam.css")),
        entry("GET /favicon.svg", Nothing, No, |_| read("/favicon.svg")),
        entry("GET /api/docs", Nothing, No, |_| read("/api/docs")),
        entry("ANY /api/v1/{*path}", Nothing, No, |_| read("/api/v1/nothing/at/all")),
        entry("ANY /v1/{*path}", Nothing, No, |_| read("/v1/nothing/at/all")),
        entry("ANY /api/{*path}", Nothing, No, |_| read("/api/nothing")),
        // Entrances.
        entry("GET /", Nothing, No, |_| page("/")),
        entry("GET /login", Nothing, No, |_| page("/login")),
        entry("GET /setup/{token}", Nothing, No, |_| page("/setup/guessed")),
        entry("GET /invite/{token}", Nothing, No, |_| page("/invite/guessed")),
        entry("GET /reset", Nothing, No, |_| page("/reset")),
        entry("GET /reset/{token}", Nothing, No, |_| page("/reset/guessed")),
        entry("GET /sso", Nothing, No, |_| page("/sso")),
        entry("GET /oidc/start", Nothing, No, |_| read("/oidc/start?domain=nowhere.test")),
        entry("GET /oidc/callback", Nothing, No, |_| read("/oidc/callback?state=guessed&code=guessed")),
        entry("POST /api/ui/ways-in", Nothing, No, |_| json_to("ways-in", json!({}))),
        entry("POST /api/ui/password-reset-ask", Nothing, No, |_| {
            form("password-reset-ask", &[("email", "nobody@nowhere.test")])
        }),
        entry("POST /api/ui/password-reset-open", Nothing, No, |_| {
            json_to("password-reset-open", json!({ "token": "guessed" }))
        }),
        entry("POST /api/ui/password-reset", Nothing, No, |_| {
            form("password-reset", &[("token", "guessed"), ("chosen", "a few words make one")])
        }),
        entry("POST /api/ui/single-sign-on-begin", Nothing, No, |_| {
            form("single-sign-on-begin", &[("email", "nobody@nowhere.test")])
        }),
        entry("POST /api/ui/home", Nothing, No, |_| json_to("home", json!({}))),
        entry("POST /api/ui/sign-in", Nothing, No, |_| {
            form("sign-in", &[("email", "nobody@nowhere.test"), ("password", "wrong wrong wrong")])
        }),
        entry("POST /api/ui/operator-link-check", Nothing, No, |_| {
            json_to("operator-link-check", json!({ "token": "guessed" }))
        }),
        entry("POST /api/ui/operator-create", Nothing, No, |_| {
            let fields = [("token", "guessed"), ("email", "x@y.test"), ("password", "a few words make one")];
            form("operator-create", &fields)
        }),
        entry("POST /api/ui/invitation-open", Nothing, No, |_| {
            json_to("invitation-open", json!({ "token": "guessed" }))
        }),
        entry("POST /api/ui/invitation-accept", Nothing, No, |_| {
            form("invitation-accept", &[("token", "guessed"), ("password", "a few words make one")])
        }),
        entry("POST /api/ui/theme-choose", Nothing, No, |_| form("theme-choose", &[("theme", "dark")])),
        // A person's own.
        entry("GET /settings", Person, No, |_| page("/settings")),
        entry("POST /api/ui/frame", Person, No, |_| json_to("frame", json!({}))),
        entry("POST /api/ui/entrance", Person, No, |_| json_to("entrance", json!({}))),
        entry("POST /api/ui/tenant-enter", Person, Tenants, |t| form("tenant-enter", &[("tenant", &t.tenant)])),
        entry("POST /api/ui/impersonation-end", Person, Idle, |t| form("impersonation-end", &[("id", &t.visit)])),
        // The chat.
        entry("GET /chat", Viewer, No, |t| page(&format!("/chat?q={}", t.words))),
        entry("GET /chat/{id}", Viewer, Own, |t| page(&format!("/chat/{}", t.conversation))),
        entry("POST /api/ui/conversation-list", Viewer, No, |t| {
            json_to("conversation-list", json!({ "search": t.words }))
        }),
        entry("POST /api/ui/conversation-open", Viewer, Own, |t| {
            json_to("conversation-open", json!({ "id": t.conversation, "older_than": t.answer, "wait": false }))
        }),
        entry("GET /api/v1/runs/{id}/events", Viewer, Own, |t| {
            read(format!("/api/v1/runs/{}/events?after=1&render=html", t.run))
        }),
        entry("POST /api/ui/branch-show", Viewer, Own, |t| {
            json_to("branch-show", json!({ "message": t.answer, "sibling": 1 }))
        }),
        entry("POST /api/ui/run-stop", Viewer, Own, |t| json_to("run-stop", json!({ "run": t.run }))),
        entry("POST /api/ui/message-send", Member, Own, |t| {
            let message = json!({ "conversation": t.conversation, "text": "and then?", "model": null });
            json_to("message-send", json!({ "message": message }))
        }),
        entry("POST /api/ui/message-post", Member, Own, |t| {
            form("message-post", &[("conversation", &t.conversation), ("text", "and now?")])
        }),
        entry("POST /api/ui/answer-regenerate", Member, Own, |t| {
            json_to("answer-regenerate", json!({ "answer": t.answer, "model": null }))
        }),
        entry("POST /api/ui/message-edit", Member, Own, |t| {
            json_to("message-edit", json!({ "message": t.question, "text": "other words" }))
        }),
        entry("POST /api/ui/conversation-rename", Viewer, Own, |t| {
            form("conversation-rename", &[("id", &t.conversation), ("title", "another title")])
        }),
        // The tenant's console.
        entry("GET /admin/members", Admin, No, |t| page(&format!("/admin/members?q={}", t.words))),
        entry("GET /admin/keys", Admin, No, |_| page("/admin/keys?state=all&sort=-used")),
        entry("GET /admin/audit", Admin, No, |t| page(&format!("/admin/audit?q={}", t.words))),
        entry("GET /admin/audit.jsonl", Admin, No, |_| read("/admin/audit.jsonl")),
        entry("GET /admin/models", Admin, No, |_| page("/admin/models")),
        entry("GET /admin/provider-keys", Admin, No, |_| page("/admin/provider-keys")),
        entry("GET /admin/sign-in", Admin, No, |_| page("/admin/sign-in")),
        entry("POST /api/ui/sign-in-settings", Admin, No, |_| json_to("sign-in-settings", json!({}))),
        // Switched off: nobody is asked.
        entry("POST /api/ui/sign-in-settings-save", Admin, No, |_| {
            let fields = [
                ("issuer", "https://login.nowhere.test"),
                ("client_id", "seam"),
                ("client_secret", "a secret"),
                ("role", "viewer"),
            ];
            form("sign-in-settings-save", &fields)
        }),
        entry("POST /api/ui/sign-in-settings-remove", Admin, No, |_| {
            let issuer = "https://login.nowhere.test";
            form("sign-in-settings-remove", &[("issuer", issuer), ("typed", issuer)])
        }),
        entry("POST /api/ui/domain-claim", Admin, No, |_| form("domain-claim", &[("domain", "nowhere.test")])),
        entry("POST /api/ui/domain-release", Admin, No, |_| {
            form("domain-release", &[("domain", "nowhere.test"), ("typed", "nowhere.test")])
        }),
        entry("POST /api/ui/members", Admin, No, |t| json_to("members", list(&t.words))),
        entry("POST /api/ui/keys", Admin, No, |_| json_to("keys", list(""))),
        entry("POST /api/ui/audit", Admin, No, |t| json_to("audit", json!({ "before": null, "words": t.words }))),
        entry("POST /api/ui/tenant-models", Admin, No, |_| json_to("tenant-models", json!({}))),
        entry("POST /api/ui/own-keys", Admin, No, |_| json_to("own-keys", json!({}))),
        entry("POST /api/ui/own-key-set", Admin, No, |_| {
            form("own-key-set", &[("provider", "nearby"), ("api_key", "sk-0123456789")])
        }),
        entry("POST /api/ui/own-key-test", Admin, No, |_| form("own-key-test", &[("provider", "nearby")])),
        entry("POST /api/ui/own-key-remove", Admin, No, |_| {
            form("own-key-remove", &[("provider", "nearby"), ("typed", "nearby")])
        }),
        entry("POST /api/ui/key-create", Admin, No, |_| {
            let fields = [("name", "another"), ("may", "inference"), ("models", ""), ("expires", "30")];
            form("key-create", &fields)
        }),
        entry("POST /api/ui/member-invite", Admin, No, |_| {
            form("member-invite", &[("email", "new@nowhere.test"), ("role", "viewer")])
        }),
        entry("POST /api/ui/member-role-set", Admin, Tenants, |t| {
            form("member-role-set", &[("user", &t.member), ("role", "viewer")])
        }),
        entry("POST /api/ui/invitation-withdraw", Admin, Tenants, |t| {
            form("invitation-withdraw", &[("id", &t.invitation), ("email", "x"), ("typed", "x")])
        }),
        entry("POST /api/ui/key-revoke", Admin, Tenants, |t| {
            form("key-revoke", &[("key", &t.key), ("name", "x"), ("typed", "x")])
        }),
        entry("POST /api/ui/impersonation-revoke", Admin, Tenants, |t| {
            form("impersonation-revoke", &[("id", &t.visit)])
        }),
        // The operator's.
        entry("GET /start", Operator, No, |_| page("/start")),
        entry("GET /start/model", Operator, No, |_| page("/start/model")),
        entry("GET /operator/tenants", Operator, No, |t| page(&format!("/operator/tenants?q={}", t.slug))),
        entry("GET /operator/tenants/{name}", Operator, Tenants, |t| page(&format!("/operator/tenants/{}", t.slug))),
        entry("GET /operator/users", Operator, No, |t| page(&format!("/operator/users?q={}", t.words))),
        entry("GET /operator/models", Operator, No, |_| page("/operator/models")),
        entry("GET /operator/providers", Operator, No, |_| page("/operator/providers")),
        entry("GET /operator/audit", Operator, No, |_| page("/operator/audit")),
        entry("GET /operator/audit.jsonl", Operator, No, |_| read("/operator/audit.jsonl")),
        entry("POST /api/ui/start", Operator, No, |_| json_to("start", json!({}))),
        entry("POST /api/ui/tenants", Operator, No, |t| json_to("tenants", list(&t.slug))),
        entry("POST /api/ui/tenant", Operator, Tenants, |t| json_to("tenant", json!({ "slug": t.slug }))),
        entry("POST /api/ui/users", Operator, No, |t| json_to("users", list(&t.words))),
        entry("POST /api/ui/models", Operator, No, |_| json_to("models", json!({ "again": true }))),
        entry("POST /api/ui/providers", Operator, No, |_| json_to("providers", json!({}))),
        entry("POST /api/ui/model-try", Operator, No, |_| form("model-try", &[("model", "assistant")])),
        entry("POST /api/ui/target-move", Operator, No, |_| {
            form("target-move", &[("model", "pair"), ("at", "1"), ("route", "sim/other"), ("to", "up")])
        }),
        // It is on already.
        entry("POST /api/ui/provider-switch", Operator, No, |_| {
            form("provider-switch", &[("provider", "local"), ("on", "true")])
        }),
        entry("POST /api/ui/platform-audit", Operator, No, |t| {
            json_to("platform-audit", json!({ "before": null, "words": t.slug }))
        }),
        entry("POST /api/ui/tenant-open", Operator, No, |_| {
            form("tenant-open", &[("name", "Another One"), ("slug", ""), ("plan", ""), ("admin", "")])
        }),
        entry("POST /api/ui/tenant-plan-set", Operator, Tenants, |t| {
            form("tenant-plan-set", &[("tenant", &t.tenant), ("slug", &t.slug), ("plan", "")])
        }),
        entry("POST /api/ui/tenant-suspend", Operator, Tenants, |t| {
            let fields = [("tenant", &*t.tenant), ("slug", &t.slug), ("typed", &t.slug), ("reason", "unpaid")];
            form("tenant-suspend", &fields)
        }),
        entry("POST /api/ui/tenant-resume", Operator, Tenants, |t| {
            form("tenant-resume", &[("tenant", &t.tenant), ("slug", &t.slug)])
        }),
        entry("POST /api/ui/tenant-domain-confirm", Operator, Tenants, |t| {
            form(
                "tenant-domain-confirm",
                &[("tenant", &t.tenant), ("slug", &t.slug), ("domain", &format!("{}.test", t.slug))],
            )
        }),
        entry("POST /api/ui/tenant-domain-withdraw", Operator, Tenants, |t| {
            let domain = format!("{}.test", t.slug);
            let fields = [("tenant", &*t.tenant), ("slug", &t.slug), ("domain", &domain), ("typed", &domain)];
            form("tenant-domain-withdraw", &fields)
        }),
        entry("POST /api/ui/user-reset-link", Operator, Tenants, |t| form("user-reset-link", &[("user", &t.member)])),
        entry("POST /api/ui/user-sign-out", Operator, Tenants, |t| {
            form("user-sign-out", &[("user", &t.member), ("email", "x"), ("typed", "x")])
        }),
        entry("POST /api/ui/user-operator-set", Operator, Tenants, |t| {
            form("user-operator-set", &[("user", &t.member), ("email", "x"), ("may", "false"), ("typed", "x")])
        }),
        entry("POST /api/ui/model-choose", Operator, No, |_| form("model-choose", &[("provider", "local")])),
        entry("POST /api/ui/tenant-create", Operator, No, |_| {
            form("tenant-create", &[("name", "My Own"), ("slug", "my-own")])
        }),
        entry("POST /api/ui/impersonation-begin", Operator, Tenants, |t| {
            form(
                "impersonation-begin",
                &[("tenant", &t.tenant), ("role", "viewer"), ("reason", "why"), ("minutes", "5")],
            )
        }),
        // What takes things or sessions away.
        entry("POST /api/ui/member-remove", Admin, Tenants, |t| {
            form("member-remove", &[("user", &t.member), ("email", "x"), ("typed", "x")])
        }),
        entry("POST /api/ui/conversation-delete", Viewer, Own, |t| {
            form("conversation-delete", &[("id", &t.conversation)])
        }),
        entry("POST /api/ui/password-change", Person, No, |_| {
            form("password-change", &[("current", CURRENT_PASSWORD), ("chosen", "quite another phrase")])
        }),
        entry("POST /api/ui/sign-out-everywhere", Person, No, |_| form("sign-out-everywhere", &[])),
        entry("POST /api/ui/sign-out", Nothing, No, |_| form("sign-out", &[])),
        entry("POST /api/ui/user-delete", Operator, Tenants, |t| {
            form("user-delete", &[("user", &t.member), ("email", &t.address), ("typed", &t.address)])
        }),
        entry("POST /api/ui/tenant-delete", Operator, Tenants, |t| {
            form("tenant-delete", &[("tenant", &t.tenant), ("slug", &t.slug), ("typed", &t.slug)])
        }),
    ]
}
