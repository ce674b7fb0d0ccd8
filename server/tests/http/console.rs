//! The consoles: who may do what, and what another tenant's things look like from outside.

use crate::browser::{Browser, PASSWORD, Server};
use contract::{Email, Password, Role};
use http::{StatusCode, header};

pub async fn admin(server: &Server, slug: &str, email: &str) -> Browser {
    let browser = server.member(slug, email).await;
    let tenancy = &server.platform.tenancy;
    let tenant = tenancy.tenant_by_slug(&slug.parse().unwrap()).await.unwrap().unwrap();
    let user = tenancy.user_by_email(&email.parse::<Email>().unwrap()).await.unwrap().unwrap();
    tenancy.member_add(tenant.id, user.id, Role::Admin).await.unwrap();
    browser
}

async fn operator(server: &Server) -> Browser {
    let password = Password::chosen(PASSWORD.to_owned()).unwrap();
    server.platform.tenancy.operator_create("olga@seam.test".parse().unwrap(), password).await.unwrap();
    let browser = server.browser();
    browser.sign_in("olga@seam.test", PASSWORD).await;
    browser
}

const PAGES: [&str; 3] = ["/admin/members", "/admin/keys", "/admin/audit"];

#[tokio::test]
async fn each_page_opens_for_its_role_alone() {
    let server = Server::start().await;
    let (admin, member) = (admin(&server, "acme", "ada@acme.test").await, server.member("acme", "bob@acme.test").await);
    let operator = operator(&server).await;
    for page in PAGES {
        assert_eq!(admin.page(page).await.status, StatusCode::OK, "{page}");
        assert_eq!(member.page(page).await.status, StatusCode::FORBIDDEN, "{page}");
        let stranger = server.browser().page(page).await;
        assert_eq!(
            (stranger.status, stranger.header(header::LOCATION)),
            (StatusCode::FOUND, &*format!("/login?next={page}"))
        );
    }
    for page in ["/operator/tenants", "/operator/tenants/acme", "/operator/users", "/operator/audit"] {
        assert_eq!(operator.page(page).await.status, StatusCode::OK, "{page}");
        for nobody in [&admin, &member] {
            let refused = nobody.page(page).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{page}");
            assert!(!refused.text().contains("<table"), "{}", refused.text());
        }
    }
    assert_eq!(operator.page("/operator/tenants/nowhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get("/admin/audit.jsonl").await.status, StatusCode::OK);
    assert_eq!(member.get("/admin/audit.jsonl").await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.get("/operator/audit.jsonl").await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.browser().get("/admin/audit.jsonl").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_secret_is_shown_once_to_whoever_made_it() {
    let server = Server::start().await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    let made = ada.form("/api/ui/key-create", &[("name", "ci"), ("may", "manage"), ("models", "assistant, sim")]).await;
    assert!(!format!("{:?}", made.headers).contains("sk-seam-"));
    let page = ada.page("/admin/keys").await.text();
    let at = page.find("<code>sk-seam-").unwrap();
    let secret = page[at + 6..].split('<').next().unwrap().to_owned();
    assert!(secret.len() > 48, "{secret}");
    let again = ada.page("/admin/keys").await.text();
    assert!(!again.contains(&secret) && again.contains("assistant, sim"));
    let holder = server.platform.tenancy.authenticate_key(&secret, [192, 0, 2, 1].into()).await.unwrap();
    assert!(holder.is_some());
}

#[tokio::test]
async fn an_invitation_leads_from_the_link_into_the_tenant() {
    let server = Server::start().await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    ada.form("/api/ui/member-invite", &[("email", "carol@acme.test"), ("role", "member")]).await;
    let page = ada.page("/admin/members").await.text();
    let at = page.find("http://seam.test/invite/").unwrap();
    let link = page[at..].split('<').next().unwrap().strip_prefix("http://seam.test").unwrap().to_owned();
    let carol = server.browser();
    let offer = carol.page(&link).await.text();
    assert!(offer.contains("ada@acme.test invites carol@acme.test into acme as a member."), "{offer}");
    let token = link.strip_prefix("/invite/").unwrap();
    let weak = carol.script_form("/api/ui/invitation-accept", &[("token", token), ("password", "short")]).await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [("token", token), ("password", "a few words make one")];
    let joined = carol.form("/api/ui/invitation-accept", &fields).await;
    assert_eq!(joined.header(header::LOCATION), "/chat", "{}", joined.text());
    assert_eq!(carol.page("/chat").await.status, StatusCode::OK);
    assert!(server.browser().page(&link).await.text().contains("does not work"));
}

#[tokio::test]
async fn a_suspended_tenant_says_why_and_opens_again() {
    let server = Server::start().await;
    let member = server.member("acme", "bob@acme.test").await;
    let operator = operator(&server).await;
    let query = serde_json::json!({ "query": { "words": "acme", "page": 1 } });
    let tenants = operator.post("/api/ui/tenants", &query).await.json();
    let id = tenants["tenants"]["items"][0]["id"].as_str().unwrap().to_owned();
    let wrong = [("tenant", id.as_str()), ("slug", "acme"), ("typed", "acmee"), ("reason", "unpaid")];
    assert_eq!(operator.script_form("/api/ui/tenant-suspend", &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = [("tenant", id.as_str()), ("slug", "acme"), ("typed", "acme"), ("reason", "unpaid since May")];
    assert_eq!(operator.script_form("/api/ui/tenant-suspend", &right).await.status, StatusCode::OK);
    let list = member.post("/api/ui/conversation-list", &serde_json::json!({ "search": null })).await;
    assert_eq!(list.status, StatusCode::FORBIDDEN);
    assert!(list.text().contains("unpaid since May"), "{}", list.text());
    operator.script_form("/api/ui/tenant-resume", &[("tenant", id.as_str()), ("slug", "acme")]).await;
    let list = member.post("/api/ui/conversation-list", &serde_json::json!({ "search": null })).await;
    assert_eq!(list.status, StatusCode::OK);
}

async fn tenant_id(operator: &Browser, slug: &str) -> String {
    let found = operator.post("/api/ui/tenant", &serde_json::json!({ "slug": slug })).await.json();
    found["tenant"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_operator_inside_a_tenant_is_seen_there_and_shut_out_at_once() {
    let server = Server::start().await;
    let (ada, olga) = (admin(&server, "acme", "ada@acme.test").await, operator(&server).await);
    let acme = tenant_id(&olga, "acme").await;
    let members = serde_json::json!({ "query": { "words": "", "page": 1 } });
    assert_eq!(olga.post("/api/ui/members", &members).await.status, StatusCode::FORBIDDEN);
    let ask = [("tenant", acme.as_str()), ("role", "admin"), ("reason", "ticket 4711"), ("minutes", "15")];
    let entered = olga.form("/api/ui/impersonation-begin", &ask).await;
    assert_eq!(entered.header(header::LOCATION), "/chat", "{}", entered.text());
    let inside = olga.page("/admin/members").await;
    assert_eq!(inside.status, StatusCode::OK);
    assert!(inside.text().contains("You act inside acme as admin") && inside.text().contains("ada@acme.test"));

    let seen = ada.page("/chat").await.text();
    assert!(seen.contains("olga@seam.test, who runs this platform") && seen.contains("ticket 4711"), "{seen}");
    let visits = ada.post("/api/ui/audit", &serde_json::json!({ "before": null, "words": "" })).await.json();
    let visit = visits["visits"][0]["id"].as_str().unwrap().to_owned();
    ada.form("/api/ui/impersonation-revoke", &[("id", &visit)]).await;
    assert_eq!(olga.post("/api/ui/members", &members).await.status, StatusCode::FORBIDDEN);
    assert!(olga.page("/operator/tenants").await.text().contains("Your time inside the tenant is over"));
    let left = olga.form("/api/ui/impersonation-end", &[("id", &visit)]).await;
    assert_eq!(left.header(header::LOCATION), "/operator/tenants");
    assert!(!olga.page("/operator/tenants").await.text().contains("Your time inside"));
}

#[tokio::test]
async fn a_person_of_two_tenants_works_in_the_one_they_choose() {
    let server = Server::start().await;
    let bob = server.member("acme", "bob@acme.test").await;
    let globex = server.tenant("globex", "eve@globex.test").await.0;
    let initech = server.tenant("initech", "tom@initech.test").await.0;
    let tenancy = &server.platform.tenancy;
    let user = tenancy.user_by_email(&"bob@acme.test".parse().unwrap()).await.unwrap().unwrap();
    tenancy.member_add(globex, user.id, Role::Member).await.unwrap();
    let before = bob.page("/chat").await.text();
    assert!(before.contains("globex<") && !before.contains("initech"), "{before}");
    bob.form("/api/ui/tenant-enter", &[("tenant", &globex.to_string())]).await;
    let frame = bob.post("/api/ui/frame", &serde_json::json!({})).await.json();
    assert_eq!(frame["session"]["current"]["slug"], "globex");
    for elsewhere in [initech.to_string(), contract::TenantId::new().to_string()] {
        let answer = bob.script_form("/api/ui/tenant-enter", &[("tenant", &elsewhere)]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let frame = bob.post("/api/ui/frame", &serde_json::json!({})).await.json();
    assert_eq!(frame["session"]["current"]["slug"], "globex");
}

#[tokio::test]
async fn what_is_written_on_a_page_of_one_tenant_does_not_end_up_in_another() {
    let server = Server::start().await;
    let bob = server.member("acme", "bob@acme.test").await;
    let acme = bob.post("/api/ui/frame", &serde_json::json!({})).await.json()["session"]["current"]["tenant"].clone();
    let globex = server.tenant("globex", "eve@globex.test").await.0;
    let tenancy = &server.platform.tenancy;
    let user = tenancy.user_by_email(&"bob@acme.test".parse().unwrap()).await.unwrap().unwrap();
    tenancy.member_add(globex, user.id, Role::Member).await.unwrap();
    let page = bob.page("/chat").await.text();
    assert!(page.contains(&format!("name=\"tenant\" value={acme}")), "{page}");
    // Another tab goes to another tenant.
    bob.form("/api/ui/tenant-enter", &[("tenant", &globex.to_string())]).await;
    let message = serde_json::json!({ "conversation": null, "text": "for acme alone", "model": null });
    let told = bob.post("/api/ui/message-send", &serde_json::json!({ "message": message, "tenant": acme })).await;
    assert_eq!(told.status, StatusCode::CONFLICT, "{}", told.text());
    assert!(told.text().contains("Nothing was sent"));
    let posted = [("text", "for acme alone"), ("tenant", acme.as_str().unwrap())];
    bob.form("/api/ui/message-post", &posted).await;
    let page = bob.page("/chat").await.text();
    assert!(page.contains("for acme alone") && page.contains("Nothing was sent"), "what was written is kept");
    let list = serde_json::json!({ "search": "acme" });
    let found = bob.post("/api/ui/conversation-list", &list).await.text();
    assert!(!found.contains("for acme"), "{found}");
    let mine = serde_json::json!({ "message": message, "tenant": globex });
    assert_eq!(bob.post("/api/ui/message-send", &mine).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_of_one_tenants_console_changes_nothing_in_another() {
    let server = Server::start().await;
    let ada = server.member("acme", "ada@acme.test").await;
    let (globex, eve) = server.tenant("globex", "eve@globex.test").await;
    let tenancy = &server.platform.tenancy;
    let user = tenancy.user_by_email(&"ada@acme.test".parse().unwrap()).await.unwrap().unwrap().id;
    let acme = tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap().id;
    for tenant in [acme, globex] {
        tenancy.member_add(tenant, user, Role::Admin).await.unwrap();
    }
    // Eve is a member of both, so that her id means somebody in each.
    tenancy.member_add(acme, eve, Role::Member).await.unwrap();
    for (page, function) in [
        ("members", "member-invite"),
        ("members", "member-role-set"),
        ("members", "member-remove"),
        ("keys", "key-create"),
        ("sign-in", "domain-claim"),
        ("sign-in", "sign-in-settings-save"),
    ] {
        let shown = ada.page(&format!("/admin/{page}")).await.text();
        assert!(shown.contains(&format!("/api/ui/{function}?of={acme}\"")), "{function}: {shown}");
    }
    ada.form("/api/ui/tenant-enter", &[("tenant", &globex.to_string())]).await;
    let eve = eve.to_string();
    for (function, fields) in [
        ("member-invite", vec![("email", "new@acme.test"), ("role", "member")]),
        ("member-role-set", vec![("user", eve.as_str()), ("role", "viewer")]),
        ("member-remove", vec![("user", eve.as_str()), ("email", "x"), ("typed", "x")]),
        ("key-create", vec![("name", "ci"), ("may", "inference"), ("models", "")]),
        ("domain-claim", vec![("domain", "acme.test")]),
    ] {
        let answer = ada.script_form(&format!("/api/ui/{function}?of={acme}"), &fields).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{function}: {}", answer.text());
        let here = ada.script_form(&format!("/api/ui/{function}?of={globex}"), &fields).await;
        assert_ne!(here.status, StatusCode::CONFLICT, "{function}: {}", here.text());
    }
}

#[tokio::test]
async fn an_operator_opens_a_tenant_whose_first_admin_joins_by_link() {
    let server = Server::start().await;
    let olga = operator(&server).await;
    let new = [("name", "Initech Ltd"), ("slug", ""), ("plan", ""), ("admin", "tom@initech.test")];
    let opened = olga.form("/api/ui/tenant-open", &new).await;
    assert_eq!(opened.header(header::LOCATION), "/operator/tenants", "{}", opened.text());
    let page = olga.page("/operator/tenants?sort=-created").await.text();
    assert!(page.contains("Initech Ltd") && page.contains("aria-sort=\"descending\""));
    let at = page.find("http://seam.test/invite/").unwrap();
    let token = page[at..].split('<').next().unwrap().strip_prefix("http://seam.test/invite/").unwrap().to_owned();
    let tom = server.browser();
    let fields = [("token", token.as_str()), ("password", "a few words make one")];
    tom.form("/api/ui/invitation-accept", &fields).await;
    assert_eq!(tom.page("/admin/members").await.status, StatusCode::OK);
    let again = olga
        .script_form("/api/ui/tenant-open", &[("name", "Initech Ltd"), ("slug", ""), ("plan", ""), ("admin", "")])
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let gold =
        olga.script_form("/api/ui/tenant-open", &[("name", "X"), ("slug", "x"), ("plan", "gold"), ("admin", "")]).await;
    assert_eq!(gold.status, StatusCode::NOT_FOUND, "{}", gold.text());
}

#[tokio::test]
async fn a_log_is_downloaded_with_its_seals() {
    let server = Server::start().await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    for name in ["one", "two"] {
        ada.form("/api/ui/key-create", &[("name", name), ("may", "inference"), ("models", "")]).await;
    }
    let log = ada.get("/admin/audit.jsonl").await;
    assert!(log.header(header::CONTENT_DISPOSITION).contains("attachment"));
    let lines: Vec<serde_json::Value> = log.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["seq"].as_i64(), line["target"].as_str())).collect();
    assert_eq!(told, [(Some(1), Some("one")), (Some(2), Some("two"))]);
    assert!(lines.iter().all(|line| line["hash"].as_str().is_some_and(|hash| hash.len() > 40)));
}

/// What is wrong with a field of a form that a script posted.
fn wrong(answer: &crate::browser::Answer) -> (String, String) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
    let error = answer.json()["problem"]["errors"][0].clone();
    let told = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (told("field"), told("detail"))
}

#[tokio::test]
async fn a_key_ends_when_its_form_says() {
    let server = Server::start().await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    let make = async |name: &str, expires: &str, date: &str| {
        let fields = [("name", name), ("may", "inference"), ("models", ""), ("expires", expires), ("expires_at", date)];
        ada.script_form("/api/ui/key-create", &fields).await
    };
    for (expires, date, field) in [
        ("date", "", "expires_at"),
        ("date", "2026-02-30", "expires_at"),
        ("date", "2020-01-01", "expires_at"),
        ("7", "", "expires"),
    ] {
        let (at, detail) = wrong(&make("bad", expires, date).await);
        assert_eq!(at, field, "{date}: {detail}");
    }
    for (name, expires, date) in [("endless", "never", ""), ("month", "30", ""), ("dated", "date", "2099-12-31")] {
        let made = make(name, expires, date).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    }
    let query = serde_json::json!({ "query": { "words": "", "page": 1, "order": "created" } });
    let listed = ada.post("/api/ui/keys", &query).await.json();
    let keys = listed["keys"]["items"].as_array().unwrap();
    assert_eq!(keys[0]["expires_at"], serde_json::Value::Null);
    let days = (keys[1]["expires_at"].as_i64().unwrap() - keys[1]["created_at"].as_i64().unwrap()) / 86_400_000;
    assert!((29..=30).contains(&days), "{days}");
    // The last moment of the day.
    assert_eq!(keys[2]["expires_at"], 4_102_444_799_999_i64);
    let page = ada.page("/admin/keys").await.text();
    assert!(page.contains(">2099-12-31<") && !page.contains(">bad<"), "{page}");
    // Without a script the form comes back with what was typed, and the date's own error.
    let fields =
        [("name", "kept"), ("may", "manage"), ("models", ""), ("expires", "date"), ("expires_at", "2020-01-01")];
    ada.form("/api/ui/key-create", &fields).await;
    let back = ada.page("/admin/keys").await.text();
    assert!(back.contains("Choose a time that lies in the future."), "{back}");
    assert!(
        back.contains("value=\"kept\"")
            && back.contains("value=\"date\" selected")
            && back.contains("value=\"manage\" selected")
    );
}

#[tokio::test]
async fn a_list_of_keys_keeps_its_place_and_shows_what_works_first() {
    let server = Server::start().await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    for number in 0..53 {
        let name = format!("key-{number:02}");
        ada.form("/api/ui/key-create", &[("name", &name), ("may", "inference"), ("models", "")]).await;
    }
    let first = ada.page("/admin/keys?q=key&sort=name").await.text();
    assert!(first.contains(">key-00<") && !first.contains(">key-50<") && first.contains("53 keys"), "{first}");
    assert!(first.contains("?q=key&amp;sort=name&amp;state=active&amp;page=2"), "{first}");
    let second = ada.page("/admin/keys?q=key&sort=name&page=2").await.text();
    assert!(second.contains(">key-52<") && !second.contains(">key-00<"));
    let query = serde_json::json!({ "query": { "words": "key-52", "page": 1 } });
    let id = ada.post("/api/ui/keys", &query).await.json()["keys"]["items"][0]["id"].as_str().unwrap().to_owned();
    let fields = [("key", id.as_str()), ("name", "x"), ("typed", "x")];
    let revoked = ada.form_on("http://seam.test/admin/keys?q=key&page=2", "/api/ui/key-revoke", &fields).await;
    assert_eq!(revoked.header(header::LOCATION), "/admin/keys?q=key&page=2");
    assert!(!ada.page("/admin/keys?q=key-52").await.text().contains(">key-52<"));
    assert!(ada.page("/admin/keys?q=key-52&state=revoked").await.text().contains(">key-52<"));
    assert!(ada.page("/admin/keys?q=key-52&state=all").await.text().contains("aria-current=\"true\""));
}

#[tokio::test]
async fn an_operator_confirms_a_domain_where_the_tenant_claims_it() {
    let server = Server::start().await;
    let (ada, olga) = (admin(&server, "acme", "ada@acme.test").await, operator(&server).await);
    assert!(!olga.page("/operator/tenants/acme").await.text().contains("E-mail domains"));
    ada.form("/api/ui/domain-claim", &[("domain", "acme.test")]).await;
    let page = olga.page("/operator/tenants/acme").await.text();
    assert!(page.contains("waits for you") && page.contains("by ") && page.contains("ada@acme.test"), "{page}");
    let acme = tenant_id(&olga, "acme").await;
    let fields = [("tenant", acme.as_str()), ("slug", "acme"), ("domain", "acme.test")];
    let done = olga.form("/api/ui/tenant-domain-confirm", &fields).await;
    assert_eq!(done.header(header::LOCATION), "/operator/tenants/acme");
    let page = olga.page("/operator/tenants/acme").await.text();
    assert!(page.contains("confirmed ") && !page.contains("waits for you"), "{page}");
    assert!(ada.page("/admin/sign-in").await.text().contains("confirmed 20"));
    assert!(ada.page("/admin/audit").await.text().contains("domain.confirm"));
    assert!(olga.page("/operator/audit").await.text().contains("domain.confirm"));
    assert_eq!(ada.script_form("/api/ui/tenant-domain-confirm", &fields).await.status, StatusCode::FORBIDDEN);

    // One that is another tenant's cannot be confirmed twice.
    let eve = admin(&server, "globex", "eve@globex.test").await;
    eve.form("/api/ui/domain-claim", &[("domain", "acme.test")]).await;
    let page = olga.page("/operator/tenants/globex").await.text();
    assert!(page.contains("is confirmed for ") && !page.contains("Confirm acme.test"), "{page}");
    let globex = tenant_id(&olga, "globex").await;
    let fields = [("tenant", globex.as_str()), ("slug", "globex"), ("domain", "acme.test")];
    assert_eq!(wrong(&olga.script_form("/api/ui/tenant-domain-confirm", &fields).await).0, "domain");

    let fields = [("tenant", acme.as_str()), ("slug", "acme"), ("domain", "acme.test"), ("typed", "acme")];
    assert_eq!(wrong(&olga.script_form("/api/ui/tenant-domain-withdraw", &fields).await).0, "typed");
    let fields = [("tenant", acme.as_str()), ("slug", "acme"), ("domain", "acme.test"), ("typed", "acme.test")];
    olga.form("/api/ui/tenant-domain-withdraw", &fields).await;
    assert!(!olga.page("/operator/tenants/acme").await.text().contains("acme.test</td>"));
}

#[tokio::test]
async fn an_operator_makes_a_link_to_a_new_password_that_is_shown_once() {
    let server = Server::start().await;
    let (bob, olga) = (server.member("acme", "bob@acme.test").await, operator(&server).await);
    let query = serde_json::json!({ "query": { "words": "bob", "page": 1 } });
    let users = olga.post("/api/ui/users", &query).await.json();
    let id = users["users"]["items"][0]["user"].as_str().unwrap().to_owned();
    let make = async || {
        let list = "http://seam.test/operator/users?q=bob";
        let made = olga.form_on(list, "/api/ui/user-reset-link", &[("user", &id)]).await;
        assert_eq!(made.header(header::LOCATION), "/operator/users?q=bob", "{}", made.text());
        let page = olga.page("/operator/users?q=bob").await.text();
        assert!(page.contains("Hand this link to bob@acme.test"), "{page}");
        let at = page.find("http://seam.test/reset/").unwrap();
        page[at..].split('<').next().unwrap().strip_prefix("http://seam.test/reset/").unwrap().to_owned()
    };
    let (older, token) = (make().await, make().await);
    assert!(!olga.page("/operator/users").await.text().contains("/reset/"));
    let set = async |token: &str| {
        server.browser().script_form("/api/ui/password-reset", &[("token", token), ("chosen", "a few new words")]).await
    };
    assert!(!set(&older).await.status.is_success());
    assert_eq!(bob.page("/chat").await.status, StatusCode::OK);
    assert!(set(&token).await.status.is_success());
    assert_eq!(server.browser().sign_in("bob@acme.test", "a few new words").await.header(header::LOCATION), "/chat");
    let refused = bob.script_form("/api/ui/user-reset-link", &[("user", &id)]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "the session of the old password is over");
    let ada = admin(&server, "acme", "ada@acme.test").await;
    assert!(ada.page("/admin/audit").await.text().contains("user.reset_link"));
    assert_eq!(ada.script_form("/api/ui/user-reset-link", &[("user", &id)]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_act_says_once_what_was_done_and_leads_back_to_the_list_as_it_was() {
    let server = Server::start().await;
    let (ada, bob) = (admin(&server, "acme", "ada@acme.test").await, server.member("acme", "bob@acme.test").await);
    let members = serde_json::json!({ "query": { "words": "bob", "page": 1 } });
    let found = ada.post("/api/ui/members", &members).await.json();
    let user = found["members"]["items"][0]["user"].as_str().unwrap().to_owned();
    let fields = [("user", user.as_str()), ("role", "viewer"), ("email", "bob@acme.test")];
    let from = async |page: &str| {
        let done = ada.form_on(page, "/api/ui/member-role-set", &fields).await;
        done.header(header::LOCATION).to_owned()
    };
    assert_eq!(from("http://seam.test/admin/members?q=bob&sort=-name").await, "/admin/members?q=bob&sort=-name");
    let page = ada.page("/admin/members?q=bob&sort=-name").await.text();
    assert!(page.contains("bob@acme.test is now a viewer."), "{page}");
    assert!(!ada.page("/admin/members").await.text().contains("is now a viewer"), "said once");
    for elsewhere in ["http://evil.test/x?q=bob", "http://seam.test/admin/keys?q=bob", "nonsense"] {
        assert_eq!(from(elsewhere).await, "/admin/members", "{elsewhere}");
    }
    assert!(bob.page("/chat").await.text().contains("You are a viewer in "), "where a message would be written");
}

#[tokio::test]
async fn a_log_tells_changes_in_words() {
    let server = Server::start().await;
    let (ada, olga) = (admin(&server, "acme", "ada@acme.test").await, operator(&server).await);
    server.member("acme", "bob@acme.test").await;
    let members = serde_json::json!({ "query": { "words": "bob", "page": 1 } });
    let found = ada.post("/api/ui/members", &members).await.json();
    let user = found["members"]["items"][0]["user"].as_str().unwrap().to_owned();
    ada.form("/api/ui/member-role-set", &[("user", &user), ("role", "viewer")]).await;
    let log = ada.page("/admin/audit?q=role").await.text();
    let change = log[log.find("class=\"log-change\"").unwrap()..].split("</td>").next().unwrap();
    assert!(change.contains("role") && change.contains("member") && change.contains("<b>viewer"), "{change}");
    assert!(!change.contains("after") && log.contains("just now"), "{change}");
    assert!(ada.page("/admin/audit?q=nowhere").await.text().contains("No entry mentions “nowhere”."));

    let acme = tenant_id(&olga, "acme").await;
    let fields = [("tenant", acme.as_str()), ("slug", "acme"), ("typed", "acme")];
    let deleted = olga.form("/api/ui/tenant-delete", &fields).await;
    assert_eq!(deleted.header(header::LOCATION), "/operator/audit?q=tenant.delete", "{}", deleted.text());
    let log = olga.page("/operator/audit?q=tenant.delete").await.text();
    assert!(log.contains("acme was deleted.") && log.contains("were removed for good."), "{log}");
    assert!(log.contains("The whole certificate") && !log.contains("\"certificate\""), "{log}");
}

#[tokio::test]
async fn an_operator_without_a_tenant_runs_the_platform_and_keeps_their_account() {
    let server = Server::start().await;
    let olga = operator(&server).await;
    let led = async |path: &str| olga.page(path).await.header(header::LOCATION).to_owned();
    assert_eq!(led("/chat").await, "/start", "there is no tenant yet");
    server.member("acme", "bob@acme.test").await;
    assert_eq!(
        (led("/chat").await, led("/admin/members").await),
        ("/operator/tenants".into(), "/operator/tenants".into())
    );
    let settings = olga.page("/settings").await;
    assert_eq!(settings.status, StatusCode::OK);
    let settings = settings.text();
    for part in ["Change password", "Recent sign-ins", "Sign out everywhere", "/operator/tenants"] {
        assert!(settings.contains(part), "{part}");
    }
    assert!(!settings.contains("<span>Chat</span>"), "no chat is theirs");
    assert!(olga.page("/start").await.text().contains("Name a tenant of your own"));
}

#[tokio::test]
async fn who_belongs_to_no_tenant_is_told_so_and_not_led_to_the_operators_pages() {
    let server = Server::start().await;
    let (acme, ada) = server.tenant("acme", "ada@acme.test").await;
    let browser = server.browser();
    browser.sign_in("ada@acme.test", PASSWORD).await;
    let tenancy = &server.platform.tenancy;
    tenancy.member_remove(&tenancy.command_line_scope(acme), ada).await.unwrap();
    for path in ["/chat", "/admin/members"] {
        let page = browser.page(path).await;
        let led = page.header(header::LOCATION);
        assert!(led != "/start" && !led.starts_with("/operator"), "{path}: {led}");
    }
}

#[tokio::test]
async fn the_sign_in_says_who_is_signed_in_and_where_they_go_on() {
    let server = Server::start().await;
    assert!(!server.browser().page("/login").await.text().contains("You are signed in as"));
    let bob = server.member("acme", "bob@acme.test").await;
    let page = bob.page("/login?next=/settings").await.text();
    assert!(page.contains("You are signed in as") && page.contains("bob@acme.test"), "{page}");
    assert!(page.contains("<a href=\"/settings\""), "{page}");
    let elsewhere = bob.page("/login?next=//evil.test").await.text();
    assert!(elsewhere.contains("<a href=\"/\"") && !elsewhere.contains("evil.test"), "{elsewhere}");
}

#[tokio::test]
async fn ones_own_role_is_given_up_with_a_question_and_leads_out_of_the_console() {
    let server = Server::start().await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    let page = ada.page("/admin/members").await.text();
    assert!(page.contains("Change your own role") && page.contains("only another admin can make you one again"));
    let tenancy = &server.platform.tenancy;
    let user = tenancy.user_by_email(&"ada@acme.test".parse().unwrap()).await.unwrap().unwrap();
    let fields = [("user", &*user.id.to_string()), ("email", "ada@acme.test"), ("role", "viewer")];
    let last = ada.form("/api/ui/member-role-set", &fields).await;
    assert_ne!(last.header(header::LOCATION), "/chat", "she is the only admin");
    admin(&server, "acme", "eve@acme.test").await;
    let given_up = ada.form("/api/ui/member-role-set", &fields).await;
    assert_eq!(given_up.header(header::LOCATION), "/chat", "{}", given_up.text());
    assert_eq!(ada.page("/admin/members").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_is_signed_in_finds_the_way_on_from_a_page_that_is_not_there() {
    let server = Server::start().await;
    let bob = server.member("acme", "bob@acme.test").await;
    let missing = bob.page("/nowhere").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text().contains("aria-label=\"Places\""), "{}", missing.text());
    let stranger = server.browser().page("/nowhere").await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    assert!(!stranger.text().contains("aria-label=\"Places\""));
}

#[tokio::test]
async fn a_list_without_rows_says_why_and_leads_to_where_some_are() {
    let server = Server::start().await;
    let ada = admin(&server, "acme", "ada@acme.test").await;
    let none = ada.page("/admin/members?q=zzz").await.text();
    assert!(none.contains("Nothing here matches “zzz”.") && none.contains("Show all"), "{none}");
    let beyond = ada.page("/admin/members?page=99").await.text();
    assert!(beyond.contains("The list has no page 99.") && beyond.contains("Back to the first page"), "{beyond}");
}
