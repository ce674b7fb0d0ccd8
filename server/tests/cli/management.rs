//! The management API from outside: the examples of its page, run by a shell as they stand.

use crate::support::{Serving, run, seam, stderr, stdout, succeed};
use std::process::Command;

/// The commands on the page, in its order.
fn examples(page: &str) -> Vec<String> {
    let plain = |text: &str| {
        text.replace("&#39;", "'")
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
    };
    let blocks = page.split("<pre tabindex=\"0\"><code>").skip(1);
    blocks.map(|block| plain(block.split("</code>").next().unwrap())).collect()
}

#[test]
fn the_examples_of_the_readable_page_work_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    let key = succeed(seam(dir.path()).args(["key", "create", "reader", "--operator"]));
    let serving = Serving::start(dir.path(), &[]);
    let page = serving.ask("GET /api/docs HTTP/1.1", "");
    let examples = examples(&page);
    assert!(examples.len() > 25, "{page}");
    let mut tried = 0;
    // What needs an id that only an earlier answer tells cannot stand on a page.
    let tried_here = examples.iter().filter(|example| !example.contains("/ID"));
    // What is shown has to be made before, and a tenant that is deleted is missed by all that follow but its archive.
    let turn = |example: &&String| match () {
        () if example.contains("-X PUT") && example.contains("/plans/") => 0,
        () if example.contains("-X PUT") && example.contains("/archive") => 4,
        () if example.contains("-X DELETE") && example.contains("/tenants/") => 3,
        () if example.contains("-X DELETE") => 2,
        () => 1,
    };
    let mut in_turn: Vec<_> = tried_here.collect();
    in_turn.sort_by_key(turn);
    for example in in_turn {
        // The page says where the server was told to listen: at any free port.
        let (before, after) = example.split_once("/api/v1/").unwrap();
        let verb = before.split('\'').next().unwrap();
        let command = format!("{verb}'http://{}/api/v1/{after}", serving.address);
        let command = format!("{command} -sS -w '\\n%{{http_code}}'");
        let output = run(Command::new("sh").args(["-c", &command]).current_dir(&dir).env("SEAM_KEY", key.trim()));
        assert!(output.status.success(), "{command}\n{}", stderr(&output));
        let answer = stdout(&output);
        let status = answer.lines().last().unwrap();
        assert!(status.starts_with('2'), "{command}\n{answer}");
        tried += 1;
    }
    assert!(tried > 15, "{examples:#?}");
}
