//! A tenant moves between engines and is the same afterwards.

use crate::world::{PASSWORD, World, password, slug};
use contract::Role;
use lifecycle::{ImportOptions, MissingPlan};
use std::os::unix::fs::PermissionsExt;
use testbase::Engine;

const EXPORTS: &str = "
SELECT COUNT(*) AS value FROM audit_entry WHERE chain = $1 AND action = 'tenant.export' AND name = 'command line'";
const PRICES: &str = "SELECT COUNT(*) AS value FROM price_version WHERE provider = 'sim'";
const HISTORY: &str = "
SELECT COUNT(*) AS value FROM ledger_attempt
JOIN price_version ON price_version.id = ledger_attempt.price_version
WHERE (ledger_attempt.dispatched_at < 1790000000000 AND price_version.input = 3)
    OR (ledger_attempt.dispatched_at >= 1790000000000 AND price_version.input = 4)";

fn with_plan() -> ImportOptions {
    ImportOptions { name: None, missing_plan: MissingPlan::Create }
}

/// There and back again, through an installation that numbers its price versions otherwise.
#[tokio::test]
async fn from_sqlite_to_postgres_and_back_the_content_has_equal_hashes() {
    let (first, second, third) =
        (World::on(Engine::Sqlite).await, World::on(Engine::Postgres).await, World::on(Engine::Sqlite).await);
    let acme = first.furnish("acme").await;
    second.furnish("other").await;
    let at_first = first.export("acme", &first.file("one")).await;
    second.import(&first.file("one"), with_plan()).await.unwrap();
    let at_second = second.export("acme", &second.file("two")).await;
    let imported = third.import(&second.file("two"), with_plan()).await.unwrap();
    assert_eq!((imported.tenant, imported.accounts_created, imported.accounts_linked), (acme.id, 2, 0));
    let at_third = third.export("acme", &third.file("three")).await;
    assert_eq!((at_first.engine.as_str(), at_second.engine.as_str()), ("sqlite", "postgres"));
    assert_eq!(at_first.tables, at_second.tables);
    assert_eq!(at_second.tables, at_third.tables);
    assert_eq!(at_first.content_sha256, at_third.content_sha256);

    for world in [&second, &third] {
        assert!(world.all_chains_hold().await);
        assert_eq!(world.number(PRICES).await, 2);
        // The history keeps its prices, under whatever numbers.
        assert_eq!(world.number(HISTORY).await % 3, 0);
        let home = "192.0.2.1".parse().unwrap();
        let ada = format!("ada-{}@seam.test", acme.marker);
        let signed_in = world.tenancy.sign_in(&ada, password(), home).await.unwrap();
        assert_eq!(signed_in.view.current.unwrap().slug, slug("acme"), "{PASSWORD}");
        assert!(world.tenancy.authenticate_key(acme.key.expose(), home).await.unwrap().is_some());
    }
    for world in [first, second, third] {
        world.close().await;
    }
}

testbase::on_each_engine! {
    async fn equal_content_has_equal_hashes_and_other_content_has_others(scratch: Scratch) {
        let world = World::at(scratch).await;
        let acme = world.furnish("acme").await;
        let (one, two) = (world.content("acme").await, world.content("acme").await);
        assert_eq!(one, two);
        // Its own log tells its people each time.
        assert_eq!(world.control.read(EXPORTS).bind(acme.id).fetch_one::<i64>().await.unwrap(), 2);
        assert!(world.all_chains_hold().await);
        world.member("carol@seam.test", acme.id, Role::Member).await;
        assert_ne!(world.content("acme").await, one);
        world.close().await;
    }

    async fn an_archive_is_its_owners_alone_and_appears_whole(scratch: Scratch) {
        let world = World::at(scratch).await;
        world.furnish("acme").await;
        let file = world.file("acme.seam");
        // What an interrupted export left, open to others.
        let partial = world.file("acme.seam.partial");
        std::fs::write(&partial, "half").unwrap();
        std::fs::set_permissions(&partial, PermissionsExt::from_mode(0o666)).unwrap();
        world.export("acme", &file).await;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!partial.exists());
        let again = world.lifecycle.tenant_export(&crate::world::operator(), &slug("acme"), &file).await;
        assert!(again.unwrap_err().to_string().contains("exists already"));
        let unknown = world.lifecycle.tenant_export(&crate::world::operator(), &slug("nobody"), &world.file("x")).await;
        assert!(unknown.unwrap_err().to_string().contains("no tenant “nobody”"));
        assert!(!world.file("x").exists() && !world.file("x.partial").exists());
        world.close().await;
    }
}
