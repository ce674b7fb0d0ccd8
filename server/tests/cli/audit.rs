//! The log of changes as a file: exported, verified here and by the formula of the documentation, and held against what
//! is here later.

use crate::support::{run, seam, stderr, stdout, succeed};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// A tenant whose log has three entries, and the file it was exported to.
fn exported(dir: &Path) -> String {
    succeed(seam(dir).args(["tenant", "create", "acme", "--display-name", "Ünïcode “quoted” \\ Lädchen 🧵"]));
    for name in ["ci", "naïve"] {
        succeed(seam(dir).args(["key", "create", name, "--tenant", "acme"]));
    }
    let log = succeed(seam(dir).args(["audit", "export", "--tenant", "acme"]));
    std::fs::write(dir.join("log.jsonl"), &log).unwrap();
    log
}

#[test]
fn an_exported_log_verifies_until_somebody_touches_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let log = exported(dir);
    assert_eq!(log.lines().count(), 3);
    let sound = succeed(seam(dir).args(["audit", "verify", "log.jsonl", "--live"]));
    assert!(sound.starts_with("3 entries of tenant ") && sound.contains("the log here begins with them"), "{sound}");

    std::fs::write(dir.join("touched.jsonl"), log.replace("naïve", "naive")).unwrap();
    let touched = run(seam(dir).args(["audit", "verify", "touched.jsonl"]));
    assert_eq!(touched.status.code(), Some(1));
    assert!(stderr(&touched).contains("entry 3 of tenant "), "{}", stderr(&touched));

    std::fs::write(dir.join("more.jsonl"), log.replacen("{\"chain\"", "{\"note\":\"sound\",\"chain\"", 1)).unwrap();
    let more = run(seam(dir).args(["audit", "verify", "more.jsonl"]));
    assert!(stderr(&more).contains("line 1: no entry of a log (it has a field “note”"), "{}", stderr(&more));

    std::fs::write(dir.join("none.jsonl"), "{}\n").unwrap();
    let none = run(seam(dir).args(["audit", "verify", "none.jsonl"]));
    assert!(stderr(&none).contains("none.jsonl, line 1: no entry of a log"), "{}", stderr(&none));
    let absent = run(seam(dir).args(["audit", "verify", "absent.jsonl", "--json"]));
    assert!(stderr(&absent).contains("absent.jsonl cannot be read"), "{}", stderr(&absent));
}

/// Nobody needs Seam to verify what it exported.
#[test]
fn the_documented_formula_verifies_an_exported_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = exported(dir.path());
    let page = include_str!("../../../docs/audit-log.md");
    let formula = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let verify = |log: &str| {
        let mut python = Command::new("python3");
        let python = python.args(["-c", formula]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut python = python.spawn().unwrap();
        python.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
        python.wait_with_output().unwrap()
    };
    let sound = verify(&log);
    assert!(stdout(&sound).starts_with("3 entries, all unbroken"), "{}{}", stdout(&sound), stderr(&sound));
    let touched = verify(&log.replace("\"ci\"", "\"cd\""));
    assert!(stderr(&touched).starts_with("entry 2 was altered"), "{}{}", stdout(&touched), stderr(&touched));
}

#[test]
fn the_doctor_holds_the_log_against_a_seal_that_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    exported(dir);
    let said = |output: &str| output.lines().find(|line| line.contains(" audit log ")).unwrap().to_owned();
    // The models are not here, so the doctor as a whole is not content.
    let found = said(&stdout(&run(seam(dir).arg("doctor"))));
    let seal = found.split("keep their seal elsewhere: ").nth(1).unwrap().trim().to_owned();
    succeed(seam(dir).args(["key", "create", "later", "--tenant", "acme"]));
    let held = said(&stdout(&run(seam(dir).args(["doctor", "--audit-seal", &seal]))));
    assert!(held.starts_with('✓') && held.contains("nothing before seal 4 was changed"), "{held}");

    let other = format!("4:{}", "a".repeat(43));
    let told = said(&stdout(&run(seam(dir).args(["doctor", "--audit-seal", &other]))));
    assert!(told.starts_with('✗') && told.contains("seal 4 is not the one that you kept"), "{told}");
    let wrong = run(seam(dir).args(["doctor", "--audit-seal", "four"]));
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
}
