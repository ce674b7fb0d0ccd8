//! Somebody who is deleted: nothing of the account stays, nothing of anybody else goes.

use crate::world::{World, email, operator, password, slug};
use contract::{Email, Role, UserId};
use lifecycle::{Departed, LifecycleError};
use tenancy::TenancyError;

const MEMBERSHIPS: &str = "SELECT COUNT(*) AS value FROM membership";
const SESSIONS: &str = "SELECT COUNT(*) AS value FROM browser_session";
const THROTTLES: &str = "SELECT COUNT(*) AS value FROM sign_in_throttle";
const ACCOUNTS: &str = "SELECT COUNT(*) AS value FROM account";
const ATTEMPTS: &str = "SELECT COUNT(*) AS value FROM ledger_attempt";
const OF_PLATFORM: &str = "
SELECT target || ' ' || change AS value FROM audit_entry WHERE chain = '' AND action = 'user.delete'";
const OF_TENANTS: &str = "
SELECT COUNT(*) AS value FROM audit_entry
WHERE chain <> '' AND action = 'member.remove' AND target = 'ada-marker-acme-7c1e@seam.test'";

fn refused(result: Result<Departed, LifecycleError>) -> TenancyError {
    match result {
        Err(LifecycleError::Tenancy(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn id_of(world: &World, address: &Email) -> UserId {
    world.tenancy.user_by_email(address).await.unwrap().unwrap().id
}

testbase::on_each_engine! {
    async fn an_account_goes_with_all_that_hangs_on_it_and_its_tenants_keep_what_is_theirs(scratch: Scratch) {
        let world = World::at(scratch).await;
        let (acme, umbrella) = (world.furnish("acme").await, world.furnish("umbrella").await);
        let ada = email("ada-marker-acme-7c1e@seam.test");
        world.member(ada.as_str(), umbrella.id, Role::Viewer).await;
        let user = id_of(&world, &ada).await;
        let delete = async |typed: &str| world.lifecycle.person_delete(&operator(), user, typed).await;
        for typed in ["", "ada", "bob-marker-acme-7c1e@seam.test"] {
            assert!(matches!(refused(delete(typed).await), TenancyError::NotConfirmed { .. }), "{typed}");
        }
        let last = refused(delete(ada.as_str()).await);
        assert!(matches!(&last, TenancyError::LastAdminOf { tenant, .. } if *tenant == acme.slug), "{last}");
        let counts = async || {
            let mut counts = Vec::new();
            for sql in [ACCOUNTS, MEMBERSHIPS, SESSIONS, THROTTLES, ATTEMPTS] {
                counts.push(world.number(sql).await);
            }
            counts
        };
        let before = counts().await;
        assert_eq!((before[0], before[2], before[3]), (5, 2, 2));

        world.member("second@seam.test", acme.id, Role::Admin).await;
        let departed = delete(" Ada-Marker-ACME-7c1e@seam.test ").await.unwrap();
        assert_eq!(departed, Departed { email: ada.clone(), tenants: vec![slug("acme"), slug("umbrella")] });
        // Somebody came and ada went, with two memberships; the ledger stays as it is.
        let now = counts().await;
        assert_eq!((now[0], now[1]), (before[0], before[1] - 1));
        assert_eq!((now[2], now[3], now[4]), (1, 1, before[4]));
        assert!(world.tenancy.user_by_email(&ada).await.unwrap().is_none());
        let (id, marker) = (user.to_string(), "ada-marker");
        let entry: String = world.control.read(OF_PLATFORM).fetch_one().await.unwrap();
        assert!(entry.starts_with(&id) && entry.contains("\"memberships\":2") && !entry.contains(marker), "{entry}");
        assert_eq!(world.number(OF_TENANTS).await, 2);
        assert!(world.all_chains_hold().await);
        assert!(matches!(refused(delete(ada.as_str()).await), TenancyError::NotFound { .. }));
        // The tenant still moves, with what ada wrote.
        assert!(!world.content("acme").await.is_empty());
        world.close().await;
    }

    async fn whoever_runs_the_platform_is_let_go_of_first(scratch: Scratch) {
        let world = World::at(scratch).await;
        world.furnish("acme").await;
        let staff = email("operator@seam.test");
        let user = id_of(&world, &staff).await;
        let other = world.tenancy.user_create(email("other@seam.test"), Some(password()), true).await.unwrap();
        let stays = refused(world.lifecycle.person_delete(&operator(), user, staff.as_str()).await);
        assert!(matches!(stays, TenancyError::OperatorStays { .. }), "{stays}");
        world.tenancy.user_operator_set(&operator(), user, false).await.unwrap();
        let departed = world.lifecycle.person_delete(&operator(), user, staff.as_str()).await.unwrap();
        assert!(departed.tenants.is_empty());
        assert_eq!(id_of(&world, &email("other@seam.test")).await, other);
        world.close().await;
    }
}
