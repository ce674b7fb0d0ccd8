//! Two tenants, everybody who acts in them, and markers in every place that holds text.

use crate::browser::{Answer, Browser, PASSWORD, Server, get, post};
use contract::{Email, Password, Role};
use http::header;
use seam::isolation::{Call, Things};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// Makes a call of the table.
pub async fn send(call: &Call, by: &Browser) -> Answer {
    by.send(match call.body() {
        Some((media, body)) => post(call.path(), media, body),
        None => {
            let mut request = get(call.path());
            if call.is_page() {
                request.headers_mut().insert(header::ACCEPT, "text/html".parse().unwrap());
            }
            request
        }
    })
    .await
}

/// A tenant with its people, signed in.
pub struct Planted {
    pub things: Things,
    /// Every text and id that nobody outside may ever be told.
    pub markers: Vec<String>,
    pub admin: Browser,
    /// Owns the conversation.
    pub member: Browser,
    /// Of the same tenant, and has no conversation.
    pub colleague: Browser,
    pub viewer: Browser,
}

pub struct World {
    pub server: Server,
    pub acme: Planted,
    pub globex: Planted,
    pub operator: Browser,
    /// Was a member of Acme until a moment ago; the session is alive.
    pub removed: Browser,
    /// A cookie of Acme's admin that was signed out.
    pub signed_out: Browser,
}

impl World {
    pub async fn new() -> Self {
        let server = Server::start().await;
        server.models_to_manage().await;
        let operator = operator(&server).await;
        let acme = plant(&server, "acme").await;
        let globex = plant(&server, "globex").await;
        let slug = acme.things.slug.clone();
        let removed = person(&server, &slug, &format!("rex-{}@acme.test", Uuid::now_v7().simple()), Role::Member).await;
        let members =
            acme.admin.post("/api/ui/members", &json!({ "query": { "words": "rex", "page": 1 } })).await.json();
        let rex = members["members"]["items"][0]["user"].as_str().unwrap().to_owned();
        let gone =
            acme.admin.script_form("/api/ui/member-remove", &[("user", &rex), ("email", "x"), ("typed", "x")]).await;
        assert!(gone.status.is_success(), "{}", gone.text());
        let signed_out = signed_out(&server, &slug).await;
        Self { server, acme, globex, operator, removed, signed_out }
    }

    /// Everything of Acme that its people can read, to see that nothing has changed it.
    pub async fn acme_as_its_people_see_it(&self) -> Vec<Value> {
        let Planted { things, admin, member, .. } = &self.acme;
        let open = json!({ "id": things.conversation, "older_than": null, "wait": true });
        let keys = json!({ "query": { "words": "", "page": 1 } });
        vec![
            admin.post("/api/ui/members", &json!({ "query": { "words": "", "page": 1 } })).await.json(),
            without(without(admin.post("/api/ui/keys", &keys).await.json(), "now"), "last_used_at"),
            without(admin.post("/api/ui/audit", &json!({ "before": null, "words": "" })).await.json(), "now"),
            member.post("/api/ui/conversation-list", &json!({ "search": null })).await.json(),
            member.post("/api/ui/conversation-open", &open).await.json(),
            without(member.post("/api/ui/frame", &json!({})).await.json(), "now"),
        ]
    }
}

/// What changes by itself is left out.
fn without(mut value: Value, field: &str) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.remove(field);
    }
    value
}

pub async fn operator(server: &Server) -> Browser {
    let password = Password::chosen(PASSWORD.to_owned()).unwrap();
    server.platform.tenancy.operator_create("olga@seam.test".parse().unwrap(), password).await.unwrap();
    let browser = server.browser();
    browser.sign_in("olga@seam.test", PASSWORD).await;
    browser
}

async fn person(server: &Server, slug: &str, email: &str, role: Role) -> Browser {
    let browser = server.member(slug, email).await;
    let tenancy = &server.platform.tenancy;
    let tenant = tenancy.tenant_by_slug(&slug.parse().unwrap()).await.unwrap().unwrap();
    let user = tenancy.user_by_email(&email.parse::<Email>().unwrap()).await.unwrap().unwrap();
    tenancy.member_add(tenant.id, user.id, role).await.unwrap();
    browser
}

async fn signed_out(server: &Server, slug: &str) -> Browser {
    let browser = person(server, slug, &format!("sue-{}@acme.test", Uuid::now_v7().simple()), Role::Admin).await;
    let cookie = browser.cookie().unwrap();
    browser.script_form("/api/ui/sign-out", &[]).await;
    server.browser_with(&cookie)
}

async fn plant(server: &Server, name: &str) -> Planted {
    let mark = |place: &str| format!("canary{place}{}", Uuid::now_v7().simple());
    let slug = format!("{name}{}", &Uuid::now_v7().simple().to_string()[20..]);
    let people: Vec<String> =
        ["admin", "member", "colleague", "viewer"].map(|who| format!("{}@{name}.test", mark(who))).to_vec();
    let admin = person(server, &slug, &people[0], Role::Admin).await;
    let member = person(server, &slug, &people[1], Role::Member).await;
    let colleague = person(server, &slug, &people[2], Role::Member).await;
    let viewer = person(server, &slug, &people[3], Role::Viewer).await;

    let words = mark("text");
    let asked = member.message(&words).await;
    let title = mark("title");
    let fields = [("id", asked.conversation.to_string()), ("title", title.clone())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(member.script_form("/api/ui/conversation-rename", &fields).await.status.is_success());
    let open = json!({ "id": asked.conversation, "older_than": null, "wait": true });
    let opened = member.post("/api/ui/conversation-open", &open).await.json();
    assert_eq!(opened["view"]["messages"][1]["status"], "complete", "{opened}");

    let key_name = mark("key");
    let made = admin.script_form("/api/ui/key-create", &[("name", &key_name), ("may", "manage"), ("models", "")]).await;
    assert!(made.status.is_success(), "{}", made.text());
    let keys = admin.post("/api/ui/keys", &json!({ "query": { "words": "", "page": 1 } })).await.json();
    let secret = keys["secret"].as_str().unwrap().to_owned();
    let invited = format!("{}@{name}.test", mark("invited"));
    let made = admin.script_form("/api/ui/member-invite", &[("email", &invited), ("role", "member")]).await;
    assert!(made.status.is_success(), "{}", made.text());
    let members = admin.post("/api/ui/members", &json!({ "query": { "words": "", "page": 1 } })).await.json();
    let link = members["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let of = |list: &Value, email: &str| {
        let items = list["items"].as_array().unwrap();
        items.iter().find(|item| item["email"] == email).unwrap()["user"].as_str().unwrap().to_owned()
    };
    let reason = mark("reason");
    let tenant = server.platform.tenancy.tenant_by_slug(&slug.parse().unwrap()).await.unwrap().unwrap().id.to_string();
    let visitor = server.browser();
    visitor.sign_in("olga@seam.test", PASSWORD).await;
    let ask = [("tenant", tenant.as_str()), ("role", "viewer"), ("reason", &reason), ("minutes", "30")];
    assert!(visitor.script_form("/api/ui/impersonation-begin", &ask).await.status.is_success());
    let visits = admin.post("/api/ui/audit", &json!({ "before": null, "words": "" })).await.json();

    let things = Things {
        tenant,
        slug,
        conversation: asked.conversation.to_string(),
        question: asked.message.to_string(),
        answer: asked.answer.to_string(),
        run: asked.run.to_string(),
        member: of(&members["members"], &people[1]),
        address: people[1].clone(),
        key: keys["keys"]["items"][0]["id"].as_str().unwrap().to_owned(),
        invitation: members["invitations"][0]["id"].as_str().unwrap().to_owned(),
        visit: visits["visits"][0]["id"].as_str().unwrap().to_owned(),
        words,
    };
    let mut markers: Vec<String> = things.each().map(str::to_owned).to_vec();
    markers.extend(people.iter().map(|email| email.split('@').next().unwrap().to_owned()));
    markers.extend([title, key_name, secret, invited, link, reason]);
    Planted { things, markers, admin, member, colleague, viewer }
}

/// What the log holds of all that was done in this process, at its most talkative.
pub fn log() -> Arc<std::sync::Mutex<Vec<u8>>> {
    use std::sync::OnceLock;
    static LOG: OnceLock<Arc<std::sync::Mutex<Vec<u8>>>> = OnceLock::new();
    #[derive(Clone)]
    struct Into(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Into {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    Arc::clone(LOG.get_or_init(|| {
        let log = Arc::new(std::sync::Mutex::new(Vec::new()));
        let into = Into(Arc::clone(&log));
        // The statements that sqlx tells at this level hold no values; ours are what is looked at.
        let told = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
        let _ = told.with_writer(move || into.clone()).try_init();
        log
    }))
}
