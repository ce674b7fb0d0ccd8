//! `seam doctor` on an installation that serves.

use crate::support::{Serving, free_address, run, seam, stderr, stdout, succeed};
use store::{ControlStore, Location};

const INTERRUPTED: &str = "
INSERT INTO tenant_operation (tenant_id, slug, kind, started_by, started_at)
VALUES ('01990000-0000-7000-8000-00000000000b', 'half', 'import', 'somebody', 1)";
const RESOURCES: &str = "[[provider]]\nname = \"sim\"\nkind = \"simulated\"\noptions = { tokens = 5 }\n\
    [[model]]\nname = \"sim\"\ntargets = [{ provider = \"sim\", model = \"sim\" }]\n";

#[test]
fn isolation_is_tried_on_what_serves_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("resources.toml"), RESOURCES).unwrap();
    succeed(seam(dir.path()).args(["apply", "-f", "resources.toml"]));
    let serving = Serving::start(dir.path(), &[]);
    let isolation = |url: &str| {
        let output = run(seam(dir.path()).args(["doctor", "--isolation", "--url", url]));
        let found = stdout(&output);
        let line = found.lines().find(|line| line.contains(" isolation ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{found}{}", stderr(&output)))
    };
    // Nothing is made that only the right server could remove.
    let nobody = isolation(&format!("http://{}", free_address()));
    assert!(nobody.starts_with('✗') && nobody.contains("does not answer"), "{nobody}");
    let other = tempfile::tempdir().unwrap();
    let elsewhere = Serving::start(other.path(), &[]);
    let another = isolation(&format!("http://{}", elsewhere.address));
    assert!(another.starts_with('✗') && another.contains("another installation answers"), "{another}");
    assert!(succeed(seam(dir.path()).args(["tenant", "list", "--json"])).contains("\"tenants\": []"));
    let url = format!("http://{}", serving.address);
    let verdict = isolation(&url);
    assert!(verdict.starts_with('✓') && verdict.contains("both tenants were deleted"), "{verdict}");
    let left = succeed(seam(dir.path()).args(["tenant", "list", "--json"]));
    assert!(left.contains("\"tenants\": []"), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_stands_half_way_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    succeed(seam(dir.path()).args(["tenant", "create", "acme"]));
    let tenants = || {
        let found = stdout(&run(seam(dir.path()).arg("doctor")));
        found.lines().find(|line| line.contains(" tenants ")).map(str::to_owned).unwrap_or(found)
    };
    assert!(tenants().starts_with('✓'), "{}", tenants());
    let control = ControlStore::open(&Location::files(dir.path().join("data"))).await.unwrap();
    control.write(INTERRUPTED).execute().await.unwrap();
    control.close().await;
    let told = tenants();
    assert!(
        told.starts_with('✗') && told.contains("the import as “half”") && told.contains("seam tenant delete half"),
        "{told}"
    );
}
