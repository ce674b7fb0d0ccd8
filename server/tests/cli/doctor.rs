//! `seam doctor` on an installation that serves.

use crate::support::{Serving, run, seam, stderr, stdout, succeed};

const RESOURCES: &str = "[[provider]]\nname = \"sim\"\nkind = \"simulated\"\noptions = { tokens = 5 }\n\
    [[model]]\nname = \"sim\"\ntargets = [{ provider = \"sim\", model = \"sim\" }]\n";

#[test]
fn isolation_is_tried_on_what_serves_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("resources.toml"), RESOURCES).unwrap();
    succeed(seam(dir.path()).args(["apply", "-f", "resources.toml"]));
    let serving = Serving::start(dir.path(), &[]);
    let url = format!("http://{}", serving.address);
    let output = run(seam(dir.path()).args(["doctor", "--isolation", "--url", &url]));
    let found = stdout(&output);
    let verdict =
        found.lines().find(|line| line.contains(" isolation ")).unwrap_or_else(|| panic!("{found}{}", stderr(&output)));
    assert!(verdict.starts_with('✓') && verdict.contains("both tenants were deleted"), "{verdict}");
    let left = succeed(seam(dir.path()).args(["tenant", "list", "--json"]));
    assert!(left.contains("\"tenants\": []"), "{left}");
}
