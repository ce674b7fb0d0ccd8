//! Whoever may not, may not: strangers, lesser roles, other tenants, colleagues, people who left.

use super::{
    routes,
    world::{World, send},
};
use crate::browser::{Answer, Browser, Server};
use http::{StatusCode, header};
use seam::isolation::{Call, Entry, Names, Needs, Things, table};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_route_stands_in_the_table() {
    let server = Server::start().await;
    let mut answered: BTreeSet<String> =
        routes::of(server.router()).into_iter().filter(|route| !is_file(route)).collect();
    // Programs are no people: `management.rs` and `v1/` make each of these calls with every kind of key.
    for (method, path) in seam::management_routes().into_iter().chain(seam::v1_routes()) {
        assert!(answered.remove(&format!("{method} {path}")), "{method} {path}");
    }
    let listed: BTreeSet<String> =
        table().iter().map(|entry| entry.route.to_owned()).filter(|route| !is_file(route)).collect();
    let missing: Vec<_> = answered.difference(&listed).collect();
    assert!(missing.is_empty(), "say in table.rs who may use these: {missing:#?}");
    let stale: Vec<_> = listed.difference(&answered).collect();
    assert!(stale.is_empty(), "the router does not answer these any more: {stale:#?}");
    assert_eq!(listed.len(), table().iter().filter(|entry| !is_file(entry.route)).count(), "one route twice");
    // What the macro of server functions registers is there as well: nothing is answered past the router.
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        assert!(listed.contains(&format!("{method} {path}")), "{method} {path}");
    }
}

/// Files that the binary carries are there or not, as it was built.
fn is_file(route: &str) -> bool {
    route.rsplit('/').next().is_some_and(|name| name.contains('.') && !name.ends_with(".jsonl"))
}

/// What a stranger gets.
fn turned_away(call: &Call, answer: &Answer) -> bool {
    if call.is_page() {
        answer.status == StatusCode::FOUND && answer.header(header::LOCATION).starts_with("/login")
    } else {
        answer.status == StatusCode::UNAUTHORIZED
    }
}

#[tokio::test]
async fn strangers_are_turned_away_everywhere() {
    let world = World::new().await;
    let before = world.acme_as_its_people_see_it().await;
    for entry in table().iter().filter(|entry| entry.needs > Needs::Nothing) {
        let call = (entry.call)(&world.acme.things);
        for (who, browser) in
            [("anonymous", &world.server.browser()), ("a cookie that was signed out", &world.signed_out)]
        {
            let answer = send(&call, browser).await;
            assert!(
                turned_away(&call, &answer),
                "{who}: {} answered {}: {}",
                entry.route,
                answer.status,
                answer.text()
            );
        }
    }
    assert_eq!(world.acme_as_its_people_see_it().await, before);
}

#[tokio::test]
async fn lesser_roles_are_refused_what_is_above_them() {
    let world = World::new().await;
    let before = world.acme_as_its_people_see_it().await;
    let acme = &world.acme;
    let people = [(Needs::Viewer, &acme.viewer), (Needs::Member, &acme.member), (Needs::Admin, &acme.admin)];
    let mut refused = 0;
    for entry in table() {
        for (role, browser) in people.into_iter().filter(|(role, _)| *role < entry.needs) {
            let answer = send(&(entry.call)(&acme.things), browser).await;
            let route = entry.route;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route} as {role:?}: {}", answer.text());
            refused += 1;
        }
    }
    assert!(refused > 60, "{refused}");
    assert_eq!(world.acme_as_its_people_see_it().await, before);
}

/// A call that names Acme's things, and the same naming nothing: who may not know of Acme gets the same of both.
async fn same_as_nothing(world: &World, entry: &Entry, by: &Browser, who: &str) {
    let (theirs, nothing) = (&world.acme.things, Things::nowhere());
    let asked = send(&(entry.call)(theirs), by).await;
    let control = send(&(entry.call)(&nothing), by).await;
    assert_eq!(
        (asked.status, plain(&asked, [theirs, &nothing])),
        (control.status, plain(&control, [theirs, &nothing])),
        "{who} learns from {} that it exists",
        entry.route
    );
    if entry.names != Names::Idle {
        assert_eq!(asked.status, StatusCode::NOT_FOUND, "{who}: {}: {}", entry.route, asked.text());
    }
}

/// A body without what is new in each answer, and without what was sent.
fn plain(answer: &Answer, sent: [&Things; 2]) -> String {
    let mut text = answer.text();
    for things in sent {
        for (number, name) in things.each().into_iter().enumerate() {
            text = text.replace(name, &format!("<{number}>"));
        }
    }
    for (before, after) in [("nonce=\"", "\""), ("\\\"now\\\":", "}"), ("\"trace_id\":\"", "\"")] {
        let mut pieces = text.split(before).map(str::to_owned).collect::<Vec<_>>();
        for piece in pieces.iter_mut().skip(1) {
            *piece = piece.split_once(after).map_or_else(String::new, |(_, rest)| rest.to_owned());
        }
        text = pieces.join(before);
    }
    text
}

#[tokio::test]
async fn another_tenants_things_are_not_found_exactly_as_what_never_was() {
    let world = World::new().await;
    let before = world.acme_as_its_people_see_it().await;
    let globex = &world.globex;
    let mut asked = 0;
    for entry in table().iter().filter(|entry| entry.names != Names::Nothing && entry.needs < Needs::Operator) {
        for (role, browser) in [(Needs::Member, &globex.member), (Needs::Admin, &globex.admin)] {
            if role >= entry.needs {
                same_as_nothing(&world, entry, browser, "a stranger to the tenant").await;
                asked += 1;
            }
        }
    }
    assert!(asked > 25, "{asked}");
    assert_eq!(world.acme_as_its_people_see_it().await, before);
}

#[tokio::test]
async fn a_members_own_things_are_not_found_by_colleagues_and_admins() {
    let world = World::new().await;
    let before = world.acme_as_its_people_see_it().await;
    let mut asked = 0;
    for entry in table().iter().filter(|entry| entry.names == Names::OfTheMember) {
        same_as_nothing(&world, entry, &world.acme.colleague, "a colleague").await;
        same_as_nothing(&world, entry, &world.acme.admin, "an admin").await;
        asked += 2;
    }
    assert!(asked >= 20, "{asked}");
    assert_eq!(world.acme_as_its_people_see_it().await, before);
}

#[tokio::test]
async fn who_was_removed_is_outside_from_the_next_request_on() {
    let world = World::new().await;
    let before = world.acme_as_its_people_see_it().await;
    for entry in table().iter().filter(|entry| entry.needs > Needs::Person) {
        let answer = send(&(entry.call)(&world.acme.things), &world.removed).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}: {}", entry.route, answer.text());
    }
    let enter = table().into_iter().find(|entry| entry.route == "POST /api/ui/tenant-enter").unwrap();
    same_as_nothing(&world, &enter, &world.removed, "who was removed").await;
    assert_eq!(world.acme_as_its_people_see_it().await, before);
}

/// An operator is no member: without an impersonation there is nothing of a tenant to be had.
#[tokio::test]
async fn an_operator_is_outside_as_well() {
    let world = World::new().await;
    let before = world.acme_as_its_people_see_it().await;
    for entry in table().iter().filter(|entry| (Needs::Viewer..=Needs::Admin).contains(&entry.needs)) {
        let call = (entry.call)(&world.acme.things);
        let answer = send(&call, &world.operator).await;
        let led_away = call.is_page() && answer.header(header::LOCATION) == "/operator/tenants";
        let refused = answer.status == StatusCode::FORBIDDEN || led_away;
        assert!(refused, "{}: {} {}", entry.route, answer.status, answer.text());
    }
    assert_eq!(world.acme_as_its_people_see_it().await, before);
}

/// A suspended tenant is closed to its own people, and says why.
#[tokio::test]
async fn a_suspended_tenant_is_closed_to_all_its_people() {
    let world = World::new().await;
    let things = &world.acme.things;
    let suspend = table().into_iter().find(|entry| entry.route == "POST /api/ui/tenant-suspend").unwrap();
    assert!(send(&(suspend.call)(things), &world.operator).await.status.is_success());
    for entry in table().iter().filter(|entry| (Needs::Viewer..=Needs::Admin).contains(&entry.needs)) {
        for browser in [&world.acme.admin, &world.acme.member] {
            let answer = send(&(entry.call)(things), browser).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}: {}", entry.route, answer.text());
        }
    }
}

/// What is refused above would otherwise work: each call of the table is a good one for whoever may make it.
#[tokio::test]
async fn whoever_may_is_served() {
    let world = World::new().await;
    let (acme, things) = (&world.acme, &world.acme.things);
    for entry in table() {
        let by = match entry.needs {
            // Open to everybody, and most of these calls bring a guessed token on purpose.
            Needs::Nothing => continue,
            Needs::Person | Needs::Viewer | Needs::Member => &acme.member,
            Needs::Admin => &acme.admin,
            Needs::Operator => &world.operator,
        };
        // Each answer has ended before the next call, which may want to begin another.
        acme.member
            .post(
                "/api/ui/conversation-open",
                &serde_json::json!({ "id": things.conversation, "older_than": null, "wait": true }),
            )
            .await;
        let answer = send(&(entry.call)(things), by).await;
        let served = answer.status.is_success() || answer.status == StatusCode::FOUND;
        assert!(served, "{}: {} {}", entry.route, answer.status, answer.text());
        // These take the member's rights away, which later calls need.
        restore(&world, entry.route).await;
    }
}

async fn restore(world: &World, route: &str) {
    let (server, things) = (&world.server, &world.acme.things);
    let tenancy = &server.platform.tenancy;
    let (tenant, member) = (things.tenant.parse().unwrap(), things.member.parse().unwrap());
    match route {
        "POST /api/ui/member-role-set" | "POST /api/ui/member-remove" => {
            tenancy.member_add(tenant, member, contract::Role::Member).await.unwrap();
        }
        "POST /api/ui/user-sign-out" => {
            let email = &world.acme.markers[12];
            world.acme.member.sign_in(&format!("{email}@acme.test"), crate::browser::PASSWORD).await;
        }
        _ => {}
    }
}
