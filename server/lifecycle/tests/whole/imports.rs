//! What an import does where something is in its way.

use crate::world::{World, email, operator, password, slug};
use contract::Role;
use lifecycle::{ImportOptions, MissingPlan, UnderWay};
use testbase::Engine;

const OPERATORS: &str = "SELECT COUNT(*) AS value FROM account WHERE operator = TRUE";
const UNFINISHED: &str = "SELECT COUNT(*) AS value FROM tenant_operation";
const KEYS: &str = "SELECT COUNT(*) AS value FROM api_key";
const ATTEMPTS: &str = "SELECT COUNT(*) AS value FROM ledger_attempt";
const PROMOTE: &str = "UPDATE account SET operator = TRUE WHERE email = $1";
const INTERRUPTED: &str = "
INSERT INTO tenant_operation (tenant_id, slug, kind, archive, started_by, started_at)
VALUES ($1, $2, 'import', $3, 'command line', 1)";
const LEFT: &str = "
INSERT INTO ledger_attempt
    (tenant_id, request_id, attempt, feature, requested_model, provider, provider_model, status, dispatched_at)
VALUES ($1, 'request 1 marker-acme-7c1e', 1, 'chat', 'm', 'p', 'm', 'dispatched', 1)";
const LEFT_CONVERSATION: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, created_at, updated_at)
VALUES ($1, 'c1', 'a', 'half', 1, 1)";

fn named(name: &str) -> ImportOptions {
    ImportOptions { name: Some(slug(name)), missing_plan: MissingPlan::Refuse }
}

const OTHERS: &str = "
SELECT COUNT(*) AS value FROM tenant_operation
WHERE slug = 'umbrella' AND kind = 'import' AND archive = 'another hash'";

const RUNNING: &str = "
INSERT INTO run (tenant_id, id, conversation_id, message_id, request_id, account_id, status, started_at, node_id)
VALUES ($1, 'r9', 'c9', 'm9', 'q9', 'a', 'running', 1, '01990000-0000-7000-8000-00000000000a')";
const PLACE: &str = "SELECT node_id AS value FROM run_place WHERE tenant_id = $1";
const DRIVEN_BY: &str = "SELECT node_id AS value FROM run WHERE tenant_id = $1 AND status = 'running'";
const UNUSUAL: &str = "UPDATE tenant SET display_name = $2, monthly_budget = -1 WHERE id = $1";
const CUT: &str = "
DELETE FROM audit_entry WHERE chain = $1 AND seq = (SELECT MAX(seq) FROM audit_entry WHERE chain = $1)";

testbase::on_each_engine! {
    async fn a_tenant_that_is_here_is_not_imported_over_and_the_way_out_is_told(scratch: Scratch) {
        let world = World::at(scratch).await;
        world.furnish("acme").await;
        let file = world.file("acme.seam");
        world.export("acme", &file).await;
        let before = world.content("acme").await;
        let refused = world.import(&file, ImportOptions::default()).await.unwrap_err().to_string();
        assert!(refused.contains("“acme” exists already") && refused.contains("--as NAME"), "{refused}");
        assert_eq!(world.number(UNFINISHED).await, 0);

        let copy = world.import(&file, named("acme-two")).await.unwrap();
        assert!(copy.notes.iter().any(|note| note.contains("1 API keys were left out")), "{:?}", copy.notes);
        assert_eq!((copy.accounts_created, copy.accounts_linked), (0, 2));
        assert_eq!(world.content("acme").await, before, "the first is untouched");
        // Its log was linked anew under the new id.
        assert!(world.all_chains_hold().await);
        let (one, two) = (world.export("acme", &world.file("a")).await, world.export("acme-two", &world.file("b")).await);
        assert_ne!(one.tenant, two.tenant);
        // The first's own log tells of the three exports in between.
        assert_eq!(one.audit_entries, two.audit_entries + 3);
        let rows = |manifest: &lifecycle::Manifest| {
            let counted = manifest.tables.iter().filter(|table| table.plane == "tenant");
            counted.map(|table| (table.name.clone(), table.rows)).collect::<Vec<_>>()
        };
        assert_eq!(rows(&one), rows(&two));
        world.close().await;
    }

    /// Its log came, went and came again: that is known, and whoever cuts it off afterwards is noticed all the same.
    async fn a_tenant_that_was_deleted_comes_back_and_its_log_is_sealed_anew(scratch: Scratch) {
        let world = World::at(scratch).await;
        let acme = world.furnish("acme").await;
        let file = world.file("acme.seam");
        world.export("acme", &file).await;
        // What is written after the export does not come back.
        world.tenancy.tenant_suspend(&operator(), acme.id, "late").await.unwrap();
        world.lifecycle.tenant_delete(&operator(), acme.id, "acme", UnderWay::NoServer).await.unwrap();
        assert!(world.all_chains_hold().await);
        let back = world.import(&file, ImportOptions::default()).await.unwrap();
        assert_eq!(back.tenant, acme.id);
        assert!(world.all_chains_hold().await);
        assert_eq!(world.control.write(CUT).bind(acme.id).execute().await.unwrap(), 1);
        assert!(!world.all_chains_hold().await);
        world.close().await;
    }

    /// Also where the node that wrote them is alive, as beside a copy of the tenant.
    async fn answers_that_were_being_written_are_left_for_whoever_serves_to_end(scratch: Scratch) {
        let world = World::at(scratch).await;
        let acme = world.furnish("acme").await;
        let plane = operator().tenant_plane(&world.stores, acme.id).await.unwrap();
        plane.write(RUNNING).bind(acme.id).execute().await.unwrap();
        let file = world.file("acme.seam");
        world.export("acme", &file).await;
        let copy = world.import(&file, named("acme-two")).await.unwrap();
        let left: String = world.control.read(PLACE).bind(copy.tenant).fetch_one().await.unwrap();
        let plane = operator().tenant_plane(&world.stores, copy.tenant).await.unwrap();
        let driven: String = plane.read(DRIVEN_BY).bind(copy.tenant).fetch_one().await.unwrap();
        assert_eq!(driven, left);
        assert_ne!(driven, "01990000-0000-7000-8000-00000000000a");
        assert!(copy.notes.iter().any(|note| note.contains("1 answers were being written")), "{:?}", copy.notes);
        drop(plane);
        world.close().await;
    }

    /// It may have been made before there was a rule, or by hand.
    async fn what_nobody_could_enter_here_is_restored_and_told(scratch: Scratch) {
        let source = World::on(Engine::Sqlite).await;
        let acme = source.furnish("acme").await;
        source.control.write(UNUSUAL).bind(acme.id).bind("Ac\u{202e}me").execute().await.unwrap();
        let file = source.file("acme.seam");
        source.export("acme", &file).await;

        let world = World::at(scratch).await;
        let options = ImportOptions { name: None, missing_plan: MissingPlan::Create };
        let imported = world.import(&file, options).await.unwrap();
        for told in ["display_name could not be entered here: leave out the character U+202E", "monthly_budget could not"] {
            assert!(imported.notes.iter().any(|note| note.contains(told)), "{told}: {:?}", imported.notes);
        }
        assert_eq!(world.content("acme").await, source.content("acme").await);
        source.close().await;
        world.close().await;
    }

    /// Another tenant's admin invited the address and opened the link, before its owner came with the archive.
    async fn whoever_came_first_under_an_address_does_not_become_the_member_of_the_archive(scratch: Scratch) {
        let source = World::on(Engine::Sqlite).await;
        let acme = source.furnish("acme").await;
        let ada = format!("ada-{}@seam.test", acme.marker);
        let file = source.file("acme.seam");
        source.export("acme", &file).await;

        let world = World::at(scratch).await;
        let umbrella = world.furnish("umbrella").await;
        let scope = world.tenancy.command_line_scope(umbrella.id);
        let token = world.tenancy.invitation_create(&scope, &email(&ada), Role::Viewer).await.unwrap();
        let who = tenancy::Invited::New { password: password(), address: [192, 0, 2, 1].into() };
        world.tenancy.invitation_accept(token.as_str(), who).await.unwrap();
        let opens = async || world.tenancy.sign_in(&ada, password(), std::net::IpAddr::from([192, 0, 2, 1])).await;
        let claims = opens().await.unwrap().claims;
        let options = ImportOptions { name: None, missing_plan: MissingPlan::LeaveOut };
        let imported = world.import(&file, options).await.unwrap();
        assert_eq!(imported.accounts_linked, 1);
        assert!(imported.notes.iter().any(|note| note.starts_with("1 accounts that were here")), "{:?}", imported.notes);
        assert!(opens().await.is_err() && world.tenancy.authenticate(&claims).await.unwrap().is_none());

        // A copy beside the tenant is of the same people.
        let bob = format!("bob-{}@seam.test", umbrella.marker);
        let copy = world.file("umbrella.seam");
        world.export("umbrella", &copy).await;
        world.import(&copy, named("umbrella-two")).await.unwrap();
        world.tenancy.sign_in(&bob, password(), std::net::IpAddr::from([192, 0, 2, 1])).await.unwrap();
        source.close().await;
        world.close().await;
    }

    async fn who_has_an_account_here_keeps_it_and_nobody_becomes_an_operator(scratch: Scratch) {
        let source = World::on(Engine::Sqlite).await;
        let acme = source.furnish("acme").await;
        let (ada, bob) = (format!("ada-{}@seam.test", acme.marker), format!("bob-{}@seam.test", acme.marker));
        source.control.write(PROMOTE).bind(bob.as_str()).execute().await.unwrap();
        let file = source.file("acme.seam");
        source.export("acme", &file).await;

        let world = World::at(scratch).await;
        let own = contract::Password::offered("a password of her own".to_owned()).unwrap();
        let here = world.tenancy.user_create(email(&ada), Some(own.clone()), false).await.unwrap();
        let options = ImportOptions { name: None, missing_plan: MissingPlan::LeaveOut };
        let imported = world.import(&file, options).await.unwrap();
        assert_eq!((imported.accounts_created, imported.accounts_linked), (1, 1));
        assert_eq!(world.number(OPERATORS).await, 0);
        let home: std::net::IpAddr = "192.0.2.1".parse().unwrap();
        assert!(world.tenancy.sign_in(&ada, password(), home).await.is_err(), "hers stays hers");
        let signed_in = world.tenancy.sign_in(&ada, own, home).await.unwrap();
        assert_eq!(signed_in.claims.user, here);
        let current = signed_in.view.current.unwrap();
        assert_eq!((current.slug, current.role), (slug("acme"), Role::Admin));
        // What she wrote elsewhere is hers here.
        let file = world.file("again");
        let tables = world.export("acme", &file).await.tables;
        assert!(tables.iter().any(|table| table.name == "conversation" && table.rows == 1));
        let text = std::process::Command::new("sh").arg("-c").arg("tail -n +2 \"$0\" | gzip -dc").arg(&file).output();
        let text = String::from_utf8(text.unwrap().stdout).unwrap();
        assert!(text.lines().any(|line| line.contains(&here.to_string()) && line.contains("Über")), "{here}");
        source.close().await;
        world.close().await;
    }

    async fn a_plan_that_is_missing_is_created_or_left_out_only_when_told(scratch: Scratch) {
        let source = World::on(Engine::Sqlite).await;
        source.furnish("acme").await;
        let file = source.file("acme.seam");
        source.export("acme", &file).await;
        let world = World::at(scratch).await;
        let refused = world.import(&file, ImportOptions::default()).await.unwrap_err().to_string();
        assert!(refused.contains("plan “pro”") && refused.contains("--without-plan"), "{refused}");
        assert_eq!((world.number(UNFINISHED).await, world.number(ATTEMPTS).await), (0, 0), "nothing is left");
        assert!(world.scratch.mentions("marker-acme").await.unwrap().is_empty());
        let options = ImportOptions { name: None, missing_plan: MissingPlan::LeaveOut };
        world.import(&file, options).await.unwrap();
        let tenants = world.tenancy.tenant_list().await.unwrap();
        assert_eq!(tenants.first().unwrap().plan, None);
        source.close().await;
        world.close().await;
    }

    async fn an_interrupted_import_is_completed_by_the_same_archive_and_refused_to_another(scratch: Scratch) {
        let source = World::on(Engine::Sqlite).await;
        let acme = source.furnish("acme").await;
        let (file, other) = (source.file("acme.seam"), source.file("other.seam"));
        let manifest = source.export("acme", &file).await;
        source.member("carol@seam.test", acme.id, Role::Member).await;
        source.export("acme", &other).await;

        let world = World::at(scratch).await;
        // As a process leaves it that is killed in the middle.
        let note = world.control.write(INTERRUPTED).bind(acme.id).bind("acme").bind(manifest.content_sha256.as_str());
        note.execute().await.unwrap();
        world.control.write(LEFT).bind(acme.id).execute().await.unwrap();
        let plane = operator().tenant_plane(&world.stores, acme.id).await.unwrap();
        plane.write(LEFT_CONVERSATION).bind(acme.id).execute().await.unwrap();
        drop(plane);
        let world = world.reopened().await;

        let options = || ImportOptions { name: None, missing_plan: MissingPlan::Create };
        let refused = world.import(&other, options()).await.unwrap_err().to_string();
        assert!(refused.contains("another archive") && refused.contains("seam tenant delete acme"), "{refused}");
        world.import(&file, options()).await.unwrap();
        assert_eq!(world.whole_content("acme").await, manifest.content_sha256);
        assert_eq!(world.number(UNFINISHED).await, 0);
        assert_eq!(world.number(KEYS).await, 1);
        source.close().await;
        world.close().await;
    }

    async fn what_an_interrupted_import_left_can_be_deleted_instead(scratch: Scratch) {
        let world = World::at(scratch).await;
        let tenant = contract::TenantId::new();
        world.control.write(INTERRUPTED).bind(tenant).bind("acme").bind("hash").execute().await.unwrap();
        world.control.write(LEFT).bind(tenant).execute().await.unwrap();
        let other = world.control.write(INTERRUPTED).bind(contract::TenantId::new());
        other.bind("umbrella").bind("another hash").execute().await.unwrap();
        let certificate =
            world.lifecycle.tenant_delete(&operator(), tenant, "acme", UnderWay::NoServer).await.unwrap();
        assert_eq!(certificate.name, slug("acme"));
        assert_eq!((world.number(UNFINISHED).await, world.number(ATTEMPTS).await), (1, 0));
        assert_eq!(world.number(OTHERS).await, 1, "another import is left as it was");
        world.close().await;
    }
}
