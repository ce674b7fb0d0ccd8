//! Links to new passwords and tenants' domains, from the command line.

use crate::support::{run, seam, stderr, succeed};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_link_to_a_new_password_is_made_for_somebody_who_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let create = ["user", "create", "olga@seam.test", "--operator", "--password-env", "PW"];
    succeed(seam(dir).args(create).env("PW", "a few words make one"));
    let made = succeed(
        seam(dir).args(["user", "reset-link", "olga@seam.test"]).env("SEAM_PUBLIC_URL", "https://seam.example.com"),
    );
    assert!(made.contains("\nhttps://seam.example.com/reset/"), "{made}");
    let made = json(&succeed(seam(dir).args(["user", "reset-link", "olga@seam.test", "--json"])));
    assert!(made["link"].as_str().unwrap().starts_with("http://"), "{made}");
    assert_eq!(made["works_for_seconds"], 3600);
    let unknown = run(seam(dir).args(["user", "reset-link", "nobody@seam.test"]));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("nobody@seam.test"), "{}", stderr(&unknown));
}

#[test]
fn a_domain_is_one_tenants_until_it_is_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for tenant in ["acme", "globex"] {
        succeed(seam(dir).args(["tenant", "create", tenant]));
    }
    let domain =
        |act: &str, tenant: &str| run(seam(dir).args(["tenant", "domain", act, tenant, "acme.test", "--json"]));
    assert!(domain("add", "acme").status.success() && domain("add", "acme").status.success(), "twice is once");
    let second = domain("add", "globex");
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("confirmed for another tenant"), "{}", stderr(&second));
    let listed = json(&succeed(seam(dir).args(["tenant", "domain", "list", "acme", "--json"])));
    assert_eq!(listed["domains"][0]["domain"], "acme.test");
    assert!(listed["domains"][0]["confirmed_at"].is_i64(), "{listed}");
    assert!(domain("remove", "acme").status.success());
    assert!(!domain("remove", "acme").status.success(), "there is none any more");
    assert!(domain("add", "globex").status.success());
    let missing = run(seam(dir).args(["tenant", "domain", "list", "initech"]));
    assert!(stderr(&missing).contains("there is no tenant “initech”"), "{}", stderr(&missing));
    assert_eq!(run(seam(dir).args(["tenant", "domain", "add", "acme", "not a domain"])).status.code(), Some(2));
}
