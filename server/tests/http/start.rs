//! A start looks only where something was left open, however many tenants there are.

use crate::browser::open_platform;
use contract::{NodeId, Slug};
use tenancy::NewTenant;
use testbase::Scratch;

const PLACE: &str = "INSERT INTO run_place (node_id, tenant_id, mark) SELECT $1, id, 1 FROM tenant WHERE slug = 'left'";
const PLACE_OF_NOBODY: &str = "INSERT INTO run_place (node_id, tenant_id, mark) VALUES ($1, $2, 1)";
const PLACES: &str = "SELECT COUNT(*) AS value FROM run_place";

#[tokio::test]
async fn a_start_opens_the_tenants_of_dead_nodes_and_no_others() {
    let scratch = Scratch::new().await.unwrap();
    let before = open_platform(&scratch, None).await;
    for slug in ["one", "two", "left"] {
        let slug: Slug = slug.parse().unwrap();
        let new = NewTenant {
            display_name: slug.to_string(),
            slug,
            plan: None,
            monthly_budget: None,
            soft_budget: None,
            region: None,
            zero_retention: false,
        };
        let tenant = before.tenancy.tenant_create(new).await.unwrap();
        before.tenancy.upkeep_scope(tenant.id).store(&before.stores).await.unwrap();
    }
    before.control.write(PLACE).bind(NodeId::new()).execute().await.unwrap();
    // A tenant that was deleted meanwhile is not made anew by looking.
    let gone = contract::TenantId::new();
    before.control.write(PLACE_OF_NOBODY).bind(NodeId::new()).bind(gone).execute().await.unwrap();
    before.stores.close().await;

    let after = open_platform(&scratch, None).await;
    assert_eq!(after.control.read(PLACES).fetch_one::<i64>().await.unwrap(), 0);
    if scratch.url().is_none() {
        assert_eq!(after.stores.open_count(), 1);
        assert!(!scratch.dir().join(format!("tenants/{gone}.db")).exists());
    }
    after.shutdown(std::time::Duration::ZERO).await;
    assert_eq!(nodes::list(&before.control).await.unwrap().len(), usize::from(scratch.url().is_some()));
}
