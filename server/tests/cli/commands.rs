//! Commands beside the server: what they print, and how they fail.

use crate::support::{free_address, run, seam, stderr, stdout, succeed};
use serde_json::Value;
use std::{io::Write, net::TcpListener, process::Stdio};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn help_names_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let help = succeed(seam(dir.path()).arg("--help"));
    for command in ["serve", "migrate", "doctor", "models", "apply", "tenant", "plan", "user", "key", "audit"] {
        assert!(help.contains(command), "{help}");
    }
    assert!(succeed(seam(dir.path()).arg("--version")).starts_with("seam "));
}

#[test]
fn wrong_use_exits_with_2_and_says_what_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["aply"][..], &["apply"], &["tenant", "create", "Not A Slug"], &["models"]] {
        let output = run(seam(dir.path()).args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    let output = run(seam(dir.path()).arg("migrate").env("SEAM_LISEN", "127.0.0.1:1"));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "error: there is no setting SEAM_LISEN\n  to do: did you mean “SEAM_LISTEN”?\n");
}

#[test]
fn a_settings_file_is_read_and_its_mistakes_have_lines() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("seam.toml"), "log = \"info\"\nlisen = \"x\"\n").unwrap();
    let output = run(seam(dir.path()).arg("migrate"));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("seam.toml line 2: there is no setting “lisen”"), "{}", stderr(&output));
}

#[test]
fn migrating_makes_the_databases_and_then_finds_them_current() {
    let dir = tempfile::tempdir().unwrap();
    assert!(succeed(seam(dir.path()).arg("migrate")).contains("A new database was made"));
    let again = json(&succeed(seam(dir.path()).args(["migrate", "--json"])));
    assert_eq!((again["applied"].as_i64(), again["new"].as_bool()), (Some(0), Some(false)));
}

#[test]
fn tenants_and_users_are_created_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(succeed(seam(dir).args(["tenant", "list"])).contains("no tenants yet"));
    let created = json(&succeed(seam(dir).args(["tenant", "create", "acme", "--monthly-budget", "50.00", "--json"])));
    assert_eq!((created["name"].as_str(), created["monthly_budget"].as_str()), (Some("acme"), Some("50")));
    let listed = json(&succeed(seam(dir).args(["tenant", "list", "--json"])));
    assert_eq!(listed["tenants"][0]["name"], "acme");
    assert!(succeed(seam(dir).args(["tenant", "list"])).contains("acme"));
    let twice = run(seam(dir).args(["tenant", "create", "acme"]));
    assert_eq!(twice.status.code(), Some(1));
    assert!(stderr(&twice).contains("already"), "{}", stderr(&twice));

    let mut with_variable = seam(dir);
    with_variable.args(["user", "create", "ada@acme.test", "--tenant", "acme", "--role", "admin", "--json"]);
    with_variable.args(["--password-env", "ADA"]).env("ADA", "correct horse battery");
    let ada = json(&succeed(&mut with_variable));
    assert_eq!((ada["email"].as_str(), ada["role"].as_str()), (Some("ada@acme.test"), Some("admin")));

    let mut piped = seam(dir);
    piped.args(["user", "create", "op@seam.test", "--operator"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse battery\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));

    let nowhere = run(seam(dir).args(["user", "create", "x@y.test", "--tenant", "nobody"]).env("ADA", "x"));
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn a_tenant_is_changed_suspended_and_resumed_by_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(
        dir.join("plans.toml"),
        "[[plan]]\nname = \"pro\"\nmonthly_fee = \"99\"\noverage_markup = \"1.4\"\nmax_concurrent = 8\n",
    )
    .unwrap();
    assert!(succeed(seam(dir).args(["plan", "list"])).contains("no plans yet"));
    succeed(seam(dir).args(["apply", "-f", "plans.toml"]));
    let plans = json(&succeed(seam(dir).args(["plan", "list", "--json"])));
    assert_eq!(
        (&plans["plans"][0]["name"], &plans["plans"][0]["overage_markup"]),
        (&Value::from("pro"), &Value::from("1.4"))
    );
    assert!(succeed(seam(dir).args(["plan", "list"])).starts_with("NAME  MONTHLY FEE"));
    succeed(seam(dir).args(["tenant", "create", "acme"]));
    succeed(seam(dir).args(["tenant", "create", "a-rather-long-name", "--monthly-budget", "1234567890.123456789"]));
    let change =
        ["tenant", "change", "acme", "--plan", "pro", "--monthly-budget", "50", "--soft-budget", "40", "--json"];
    let changed =
        json(&succeed(seam(dir).args(change).args(["--display-name", "Acme Labs", "--zero-retention", "true"])));
    let told =
        ["plan", "monthly_budget", "soft_budget", "display_name", "zero_retention"].map(|name| changed[name].clone());
    assert_eq!(told, ["pro".into(), "50".into(), "40".into(), "Acme Labs".into(), Value::from(true)]);
    let changed =
        json(&succeed(seam(dir).args(["tenant", "change", "acme", "--no-plan", "--no-soft-budget", "--json"])));
    assert_eq!(
        (&changed["plan"], &changed["soft_budget"], &changed["monthly_budget"]),
        (&Value::Null, &Value::Null, &Value::from("50"))
    );
    for (arguments, status, word) in [
        (&["change", "acme"][..], 2, "--plan"),
        (&["change", "acme", "--plan", "pro", "--no-plan"], 2, "cannot be used with"),
        (&["change", "acme", "--plan", "gold"], 1, "to do: list plans: seam plan list"),
        (&["change", "acme", "--monthly-budget", "a lot"], 2, "decimal dollars"),
        (&["change", "acme", "--soft-budget", "60"], 1, "above the monthly budget"),
        (&["change", "acme", "--display-name", "Ac\u{202e}me"], 1, "U+202E"),
        (&["change", "nobody", "--no-plan"], 1, "to do: list them: seam tenant list"),
        (&["suspend", "acme"], 2, "--reason"),
        (&["suspend", "acme", "--reason", " "], 1, "say why"),
        (&["suspend", "nobody", "--reason", "x"], 1, "there is no tenant “nobody”"),
        (&["resume", "nobody"], 1, "there is no tenant “nobody”"),
    ] {
        let output = run(seam(dir).arg("tenant").args(arguments));
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }
    let suspend = ["tenant", "suspend", "acme", "--reason", "unpaid since May", "--json"];
    assert_eq!(json(&succeed(seam(dir).args(suspend)))["suspended_for"], "unpaid since May");
    let list = succeed(seam(dir).args(["tenant", "list"]));
    let place = |line: &str| {
        let at = ["STATE", "suspended", "open"].into_iter().find_map(|word| line.find(word));
        at.map(|at| line[..at].chars().count())
    };
    let places: Vec<_> = list.lines().map(place).collect();
    assert!(places.windows(2).all(|two| two[0] == two[1] && two[0].is_some()), "{list}");
    assert!(succeed(seam(dir).args(["tenant", "resume", "acme"])).contains("acme is open"));
    assert_eq!(
        json(&succeed(seam(dir).args(["tenant", "list", "--json"])))["tenants"][1]["suspended_for"],
        Value::Null
    );
}

#[test]
fn people_are_listed_signed_out_and_made_operators_by_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(succeed(seam(dir).args(["user", "list"])).contains("nobody yet"));
    succeed(seam(dir).args(["tenant", "create", "acme"]));
    let make = |arguments: &[&str]| {
        let mut command = seam(dir);
        command
            .args(["user", "create"])
            .args(arguments)
            .args(["--password-env", "P"])
            .env("P", "correct horse battery");
        succeed(&mut command);
    };
    make(&["ada@acme.test", "--tenant", "acme", "--role", "admin"]);
    make(&["op@seam.test", "--operator"]);
    let all = json(&succeed(seam(dir).args(["user", "list", "--json"])));
    assert_eq!((&all["users"][0]["tenant"], &all["users"][1]["operator"]), (&Value::from("acme"), &Value::from(true)));
    let of = json(&succeed(seam(dir).args(["user", "list", "--tenant", "acme", "--json"])));
    assert_eq!((of["users"].as_array().unwrap().len(), &of["users"][0]["role"]), (1, &Value::from("admin")));
    assert!(succeed(seam(dir).args(["user", "list"])).contains("op@seam.test   yes       –"));
    assert!(succeed(seam(dir).args(["user", "sign-out", "ada@acme.test"])).contains("No session of ada@acme.test"));
    let last = run(seam(dir).args(["user", "operator", "op@seam.test", "--off"]));
    assert_eq!(last.status.code(), Some(1));
    assert!(stderr(&last).contains("last operator"), "{}", stderr(&last));
    let promoted = json(&succeed(seam(dir).args(["user", "operator", "ada@acme.test", "--on", "--json"])));
    assert_eq!(promoted["operator"], true);
    succeed(seam(dir).args(["user", "operator", "op@seam.test", "--off"]));
    let link = json(&succeed(seam(dir).args(["user", "reset-password", "ada@acme.test", "--json"])));
    assert!(link["link"].as_str().unwrap().contains("/reset/"), "{link}");
    assert_eq!(run(seam(dir).args(["user", "operator", "ada@acme.test"])).status.code(), Some(2));
    let asked = run(seam(dir).args(["user", "delete", "op@seam.test"]));
    assert_eq!(asked.status.code(), Some(2), "nobody sits there");
    assert!(stderr(&asked).contains("--yes op@seam.test"), "{}", stderr(&asked));
    let other = run(seam(dir).args(["user", "delete", "op@seam.test", "--yes", "op@seam"]));
    assert_eq!(other.status.code(), Some(1));
    let stays = run(seam(dir).args(["user", "delete", "ada@acme.test", "--yes", "ada@acme.test"]));
    assert!(stderr(&stays).contains("ada@acme.test runs the platform"), "{}", stderr(&stays));
    let gone = json(&succeed(seam(dir).args(["user", "delete", "op@seam.test", "--yes", "op@seam.test", "--json"])));
    assert_eq!((&gone["email"], &gone["left"]), (&Value::from("op@seam.test"), &serde_json::json!([])));
    assert!(!succeed(seam(dir).args(["user", "list"])).contains("op@seam.test"));
    for command in [&["sign-out"][..], &["reset-link"], &["operator", "--on"], &["delete"]] {
        let output = run(seam(dir).arg("user").args(command).arg("x@acme.test"));
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(stderr(&output).contains("to do: list them: seam user list"), "{}", stderr(&output));
    }
    let nowhere = run(seam(dir).args(["user", "list", "--tenant", "nobody"]));
    assert!(stderr(&nowhere).contains("there is no tenant “nobody”"), "{}", stderr(&nowhere));
}

#[test]
fn keys_are_made_listed_and_revoked_and_the_log_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(seam(dir).args(["tenant", "create", "acme"]));
    let secret = succeed(seam(dir).args(["key", "create", "ci", "--tenant", "acme", "--model", "assistant"]));
    assert!(secret.starts_with("sk-seam-") && secret.lines().count() == 1, "{secret}");
    let listed = json(&succeed(seam(dir).args(["key", "list", "--tenant", "acme", "--json"])));
    let key = &listed["keys"][0];
    assert_eq!((key["name"].as_str(), key["created_by"].as_str()), (Some("ci"), Some("command line")));
    assert!(!listed.to_string().contains(secret.trim()));
    let id = key["id"].as_str().unwrap();
    let twice = run(seam(dir).args(["key", "create", "ci", "--tenant", "acme"]));
    assert_eq!(twice.status.code(), Some(1));
    assert!(stderr(&twice).contains("the key “ci” exists already\n  to do: choose another name"), "{}", stderr(&twice));
    // A tenant's key is none of the operator's.
    assert_eq!(run(seam(dir).args(["key", "revoke", id, "--operator"])).status.code(), Some(1));
    succeed(seam(dir).args(["key", "revoke", id, "--tenant", "acme"]));
    assert!(succeed(seam(dir).args(["key", "list", "--tenant", "acme"])).contains("revoked"));
    let deploy = ["key", "create", "deploy", "--operator", "--expires", "2099-12-31"];
    assert!(succeed(seam(dir).args(deploy)).starts_with("sk-seam-op-"));
    let listed = succeed(seam(dir).args(["key", "list", "--operator"]));
    assert!(listed.lines().last().unwrap().ends_with("works    2099-12-31"), "{listed}");
    let never = run(seam(dir).args(["key", "create", "late", "--operator", "--expires", "tomorrow"]));
    assert_eq!(never.status.code(), Some(2));
    assert!(stderr(&never).contains("write a number of days, as 90d"), "{}", stderr(&never));
    assert_eq!(run(seam(dir).args(["key", "list"])).status.code(), Some(2));
    assert_eq!(run(seam(dir).args(["key", "list", "--tenant", "nobody"])).status.code(), Some(1));
    let lines = stdout(&run(seam(dir).arg("doctor")));
    assert!(lines.contains("5 entries in 2 chains, all unbroken"), "{lines}");
}

#[test]
fn a_weak_password_is_refused_and_makes_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = seam(dir.path());
    command.args(["user", "create", "op@seam.test", "--operator", "--password-env", "WEAK"]).env("WEAK", "short");
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("at least 10 characters"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("short\n"));
}

#[test]
fn a_file_is_applied_and_mistakes_name_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("resources.toml");
    std::fs::write(&file, "[[tenant]]\nname = \"acme\"\n").unwrap();
    let apply = |arguments: &[&str]| run(seam(dir.path()).args(["apply", "-f", "resources.toml"]).args(arguments));
    let dry = apply(&["--dry-run"]);
    assert!(stdout(&dry).contains("1 created") && stdout(&dry).contains("dry run"), "{}", stdout(&dry));
    let first = json(&stdout(&apply(&["--json"])));
    assert_eq!((first["created"].as_i64(), first["resources"][0]["change"].as_str()), (Some(1), Some("created")));
    assert!(stdout(&apply(&[])).contains("0 created, 0 updated, 1 unchanged"));

    std::fs::write(&file, "[[tenant]]\nname = \"acme\"\nplan = \"pro\"\ncolour = \"red\"\n").unwrap();
    let refused = apply(&[]);
    assert_eq!(refused.status.code(), Some(1));
    let told = stderr(&refused);
    assert!(told.contains("resources.toml:3: there is no plan “pro”"), "{told}");
    assert!(told.contains("resources.toml:4: a tenant has no field “colour”"), "{told}");
    assert!(told.contains("to do: "), "{told}");
    let refused = apply(&["--json"]);
    assert_eq!((refused.status.code(), json(&stdout(&refused))["errors"][1]["line"].as_i64()), (Some(1), Some(4)));
    let missing = run(seam(dir.path()).args(["apply", "-f", "none.toml"]));
    assert!(stderr(&missing).contains("cannot read none.toml"), "{}", stderr(&missing));
}

#[test]
fn the_doctor_looks_at_everything_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let address = free_address().to_string();
    let examine = || run(seam(dir.path()).args(["doctor", "--json"]).env("SEAM_LISTEN", &address));
    let found = json(&stdout(&examine()));
    let check = |found: &Value, name: &str| {
        let checks = found["checks"].as_array().unwrap().clone();
        let check = checks.into_iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("{name} in {found}"))["ok"].as_bool().unwrap()
    };
    for name in ["settings", "data", "database", "master key", "port"] {
        assert!(check(&found, name), "{found}");
    }
    // There are no weights in a new directory, and that is what it fails for.
    assert!(!check(&found, "models"));
    assert_eq!(examine().status.code(), Some(1));
    assert!(!dir.path().join("data").exists(), "it looked and made nothing");

    succeed(seam(dir.path()).arg("migrate"));
    std::fs::write(dir.path().join("data/control.db"), "this is no database, and long enough to look at".repeat(100))
        .unwrap();
    let _taken = TcpListener::bind(&address).unwrap();
    let found = json(&stdout(&examine()));
    assert!(!check(&found, "database") && !check(&found, "port"), "{found}");
    let lines = stdout(&run(seam(dir.path()).arg("doctor").env("SEAM_LISTEN", &address)));
    assert_eq!(lines.lines().count(), 9, "{lines}");
}

#[test]
fn models_that_cannot_be_had_say_how_to_get_them() {
    let dir = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let output = run(seam(dir.path()).args(["models", "pull", "--from"]).arg(empty.path()));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("to do: put one of them there"), "{}", stderr(&output));
}

#[test]
fn a_command_whose_reader_goes_away_ends_without_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = seam(dir.path())
        .args(["tenant", "list", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Before it has said anything.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(141), ""));
}

#[test]
fn a_key_is_bound_to_models_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    succeed(seam(dir.path()).args(["tenant", "create", "acme"]));
    let make = |models: &[&str]| {
        let named = models.iter().flat_map(|model| ["--model", *model]);
        run(seam(dir.path()).args(["key", "create", "app", "--tenant", "acme"]).args(named))
    };
    let refused = make(&["nope"]);
    assert!(stderr(&refused).contains("There is no model “nope”"), "{}", stderr(&refused));
    assert_eq!(refused.status.code(), Some(1));
}
