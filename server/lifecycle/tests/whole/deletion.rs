//! After a deletion nothing of the tenant is anywhere, and nothing of anybody else is missing.

use crate::world::{World, email, operator, slug};
use contract::{ListQuery, Role};
use lifecycle::{Doomed, LifecycleError, UnderWay};
use std::time::Duration;
use tenancy::TenantPatch;

const SESSIONS: &str = "SELECT COUNT(*) AS value FROM browser_session";
const OPERATIONS: &str = "SELECT COUNT(*) AS value FROM tenant_operation";
const NOTED: &str = "UPDATE tenant_operation SET found = $2 WHERE tenant_id = $1";
const STILL_NOTED: &str = "SELECT found AS value FROM tenant_operation WHERE slug = 'umbrella'";
const CLOSED: &str = "SELECT COUNT(*) AS value FROM tenant WHERE suspended_at IS NOT NULL";
const RENAME: &str = "UPDATE account SET email = $2 WHERE email = $1";
const RUNNING: &str = "
INSERT INTO run (tenant_id, id, conversation_id, message_id, request_id, account_id, status, started_at)
VALUES ($1, 'r9', 'c9', 'm9', 'q9', 'a', 'running', 1)";
const ENTRY: &str = "
SELECT change AS value FROM audit_entry WHERE chain = '' AND action = 'tenant.delete' ORDER BY seq DESC LIMIT 1";

testbase::on_each_engine! {
    async fn nothing_of_it_is_left_anywhere_and_its_neighbour_is_untouched(scratch: Scratch) {
        let world = World::at(scratch).await;
        let (acme, neighbour) = (world.furnish("acme").await, world.furnish("umbrella").await);
        // Somebody who belongs to both, and somebody whose address once held the marker.
        world.member("both@seam.test", acme.id, Role::Member).await;
        world.member("both@seam.test", neighbour.id, Role::Member).await;
        world.member("former-marker-acme-7c1e@seam.test", neighbour.id, Role::Viewer).await;
        let rename = world.control.write(RENAME).bind("former-marker-acme-7c1e@seam.test");
        rename.bind("renamed@seam.test").execute().await.unwrap();
        assert!(!world.scratch.mentions(&acme.marker).await.unwrap().is_empty());
        let before = world.content("umbrella").await;

        let certificate =
            world.lifecycle.tenant_delete(&operator(), acme.id, "acme", UnderWay::NoServer).await.unwrap();
        let found = world.scratch.mentions(&acme.marker).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(world.content("umbrella").await, before);
        assert!(!world.scratch.mentions(&neighbour.marker).await.unwrap().is_empty());
        assert_eq!((world.number(SESSIONS).await, world.number(OPERATIONS).await), (1, 0));
        assert!(world.tenancy.user_by_email(&email("both@seam.test")).await.unwrap().is_some());
        assert!(world.tenancy.tenant_by_slug(&slug("acme")).await.unwrap().is_none());
        assert!(world.all_chains_hold().await);
        let home = "192.0.2.1".parse().unwrap();
        assert!(world.tenancy.authenticate_key(acme.key.expose(), home).await.unwrap().is_none());
        assert!(world.tenancy.authenticate_key(neighbour.key.expose(), home).await.unwrap().is_some());

        assert!(certificate.is_genuine());
        let rows = |place: &str| {
            certificate.places.iter().find(|found| found.place.ends_with(place)).and_then(|found| found.rows)
        };
        assert_eq!((rows("table message"), rows("table api_key"), rows("table membership")), (Some(620), Some(1), Some(3)));
        assert_eq!((rows("table browser_session"), rows("table sign_in_throttle")), (Some(2), Some(1)));
        assert_eq!(rows("table impersonation"), Some(1));
        assert_eq!(certificate.accounts, 2);
        assert_eq!(certificate.audit_entries, 4);
        let costs: Vec<_> = certificate.ledger.iter().map(|total| (total.cost_nanousd, total.attempts)).collect();
        assert_eq!(costs, [(24, 3)]);
        // The log has it, word for word.
        let entry: String = world.control.read(ENTRY).fetch_one().await.unwrap();
        assert!(entry.contains(&certificate.sha256));
        let again = world.lifecycle.tenant_doomed(&operator(), &slug("acme")).await.unwrap();
        assert!(matches!(again, Doomed::Gone(kept) if *kept == certificate));
        world.close().await;
        // Closing folds the log into the file: nothing comes up with that.
        assert!(world.scratch.mentions(&acme.marker).await.unwrap().is_empty());
    }

    async fn the_name_must_be_typed_as_it_is(scratch: Scratch) {
        let world = World::at(scratch).await;
        let acme = world.furnish("acme").await;
        for typed in ["", "acm", "ACME", "umbrella"] {
            let refused = world.lifecycle.tenant_delete(&operator(), acme.id, typed, UnderWay::NoServer).await;
            assert!(matches!(refused, Err(LifecycleError::NotConfirmed { .. })), "{typed}");
        }
        assert_eq!((world.number(CLOSED).await, world.number(OPERATIONS).await), (0, 0));
        world.close().await;
    }

    async fn whoever_is_in_it_is_put_out_first_and_it_does_not_open_again(scratch: Scratch) {
        let world = World::at(scratch).await;
        let acme = world.furnish("acme").await;
        let plane = operator().tenant_plane(&world.stores, acme.id).await.unwrap();
        plane.write(RUNNING).bind(acme.id).execute().await.unwrap();
        let wait = UnderWay::WaitFor(Duration::from_millis(300));
        let refused = world.lifecycle.tenant_delete(&operator(), acme.id, "acme", wait).await.unwrap_err();
        assert!(matches!(refused, LifecycleError::StillAnswering { .. }), "{refused}");
        assert_eq!(world.number(CLOSED).await, 1);
        let reopened = world.tenancy.tenant_resume(&operator(), acme.id).await.unwrap_err().to_string();
        assert!(reopened.contains("being deleted"), "{reopened}");
        let patch = TenantPatch { display_name: Some("Acme again".to_owned()), ..TenantPatch::default() };
        let changed = world.tenancy.tenant_change(&operator(), acme.id, patch).await.unwrap_err().to_string();
        assert!(changed.contains("being deleted and stays as it is"), "{changed}");
        let tenants = world.tenancy.tenant_page(&operator(), &ListQuery::default()).await.unwrap().items;
        assert!(tenants[0].being_deleted && tenants[0].suspended_for.is_some(), "{tenants:?}");
        let exported = world.lifecycle.tenant_export(&operator(), &acme.slug, &world.file("x")).await;
        assert!(exported.unwrap_err().to_string().contains("being deleted"));
        let home = "192.0.2.1".parse().unwrap();
        assert!(world.tenancy.authenticate_key(acme.key.expose(), home).await.is_err());

        // The same again, now that no server writes that answer; whoever still holds the store finds it closed.
        world.lifecycle.tenant_delete(&operator(), acme.id, "acme", UnderWay::NoServer).await.unwrap();
        if !world.scratch.location().is_shared() {
            assert!(plane.write(RUNNING).bind(acme.id).execute().await.is_err());
        }
        assert!(operator().tenant_plane(&world.stores, acme.id).await.is_err());
        assert!(world.scratch.mentions(&acme.marker).await.unwrap().is_empty());
        world.close().await;
    }

    async fn two_on_their_way_out_do_not_wait_for_each_other_nor_take_each_others_notes(scratch: Scratch) {
        let world = World::at(scratch).await;
        let (acme, umbrella) = (world.furnish("acme").await, world.furnish("umbrella").await);
        let plane = operator().tenant_plane(&world.stores, umbrella.id).await.unwrap();
        plane.write(RUNNING).bind(umbrella.id).execute().await.unwrap();
        drop(plane);
        let wait = UnderWay::WaitFor(Duration::from_millis(300));
        let refused = world.lifecycle.tenant_delete(&operator(), umbrella.id, "umbrella", wait).await.unwrap_err();
        assert!(matches!(refused, LifecycleError::StillAnswering { .. }), "{refused}");
        world.control.write(NOTED).bind(umbrella.id).bind("what there was").execute().await.unwrap();

        let certificate = world.lifecycle.tenant_delete(&operator(), acme.id, "acme", wait).await.unwrap();
        assert_eq!(certificate.name, slug("acme"));
        let left: String = world.control.read(STILL_NOTED).fetch_one().await.unwrap();
        assert_eq!((left.as_str(), world.number(OPERATIONS).await), ("what there was", 1));
        world.close().await;
    }

    async fn a_name_that_never_was_is_told_from_one_that_was_deleted(scratch: Scratch) {
        let world = World::at(scratch).await;
        let found = world.lifecycle.tenant_doomed(&operator(), &slug("nobody")).await;
        assert!(matches!(found, Err(LifecycleError::UnknownTenant(_))));
        world.close().await;
    }
}
