//! What a file alone shows to be wrong: all of it at once, each at its line, and nothing is written.

use super::{mistakes, rows, tenancy};
use testbase::Scratch;

/// Each line that is told begins with what is expected, and there is no other.
async fn told_as(text: &str, expected: &[&str]) {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let told = mistakes(&tenancy, text).await;
    let all = told.join("\n");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{expected}\n{told}\n\n{all}");
    }
    assert_eq!(told.len(), expected.len(), "{all}");
}

#[tokio::test]
async fn every_mistake_is_told_with_its_line_and_nothing_is_written() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let before = rows(&tenancy).await;
    let text = r#"[[plan]]
name = "pro"
monthly_fee = 99.0
overage_markup = "1.4"

[[tenant]]
name = "acme"
plan = "por"
montly_budget = "50.00"

[[user]]
tenant = "acme"
email = "ada"
role = "boss"
password_env = "MISSING"

[[model]]
name = "fast"
targets = [
  { provider = "opnai", model = "gpt" },
]

[[price]]
provider = "local"
model = "x"
input = "0,15"
output = "0.60"

[[tenants]]
name = "x"

[[prompt]]
name = "x"
"#;
    let expected = [
        "line 3: monthly_fee of this plan must be text in quotes, not a bare number",
        "line 8: there is no plan “por”, neither in this file nor in the database; did you mean “pro”?",
        "line 9: a tenant has no field “montly_budget”; did you mean “monthly_budget”?",
        "line 13: email: enter an e-mail address such as ada@example.com",
        "line 14: role: “boss” is not a role; use admin, member or viewer",
        "line 15: password_env names the variable MISSING, which is not set; export it and try again",
        "line 20: there is no provider “opnai”, neither in this file nor in the database",
        "line 23: this price has no effective_from; add the moment from which it holds",
        "line 26: input: “0,15” is not an amount; write decimal dollars such as \"0.15\"",
        "line 29: there is no kind of resource “tenants”; did you mean “tenant”?",
        "line 32: [[prompt]] arrives with a later version of Seam; leave it out for now",
    ];
    assert_eq!(mistakes(&tenancy, text).await, expected);
    assert_eq!(rows(&tenancy).await, before);
}

#[tokio::test]
async fn what_layers_refuse_is_told_with_all_the_rest_at_once() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let before = rows(&tenancy).await;
    let text = r#"[[tenant]]
name = "acme"
display_name = "Acme\u202e"
plan = "gold"
monthly_budget = "-5"
soft_budget = "-6"

[[tenant]]
name = "globex"
monthly_budget = "50"
soft_budget = "200"

[[tenant]]
monthly_budget = "99999999999"
soft_budget = "-1"

[[plan]]
monthly_fee = "-1"
overage_markup = "1.4"
requests_per_minute = 0
tokens_per_minute = 99999999999999999999

[[user]]
tenant = "nowhere"
email = "ada"

[[api_key]]
tenant = "nowhere"
name = " "
models = []

[[api_key]]
tenant = "acme"
models = ["nothing"]

[[model]]
name = "fast"
targets = [{ provider = "nobody", model = "m" }]

[[model]]
name = "heavy"
targets = [{ provider = "local", model = "m", weight = -1 }]
cache = { ttl_s = "x" }

[[provider]]
name = "far"
kind = "openai"
timeout_ms = 0

[[price]]
provider = "nobody"
model = "x"
input = "-1"
output = "1"
effective_from = "2026-01-01T00:00:00Z"
"#;
    let told = mistakes(&tenancy, text).await;
    let expected = [
        ("line 3", "display_name: leave out the character U+202E"),
        ("line 4", "there is no plan “gold”"),
        ("line 5", "monthly_budget: a budget cannot be negative"),
        ("line 6", "soft_budget: a budget cannot be negative"),
        ("line 11", "soft_budget: $200 is above the monthly budget of $50"),
        ("line 13", "this tenant has no name"),
        (
            "line 14",
            "monthly_budget: “99999999999” is too large; the most that can be written down is 9223372036 dollars",
        ),
        ("line 15", "soft_budget: a budget cannot be negative"),
        ("line 17", "this plan has no name"),
        ("line 18", "monthly_fee of this plan is negative"),
        ("line 20", "requests_per_minute of this plan is below 1"),
        ("line 21", "tokens_per_minute of this plan has too many digits; use at most 18"),
        ("line 24", "there is no tenant “nowhere”"),
        ("line 25", "email: enter an e-mail address"),
        ("line 28", "there is no tenant “nowhere”"),
        ("line 29", "name: use 1 to 60 characters"),
        ("line 30", "models: name at least one model"),
        ("line 32", "this api_key has no name"),
        ("line 34", "there is no model “nothing”"),
        ("line 38", "there is no provider “nobody”"),
        ("line 42", "weight of this target is not between 1 and"),
        ("line 43", "ttl_s of this cache must be a whole number, not text"),
        ("line 48", "timeout_ms of this provider must be between"),
        ("line 51", "there is no provider “nobody”"),
        ("line 53", "input of this price is negative"),
    ];
    let all = told.join("\n");
    for (line, what) in expected {
        assert!(
            told.iter().any(|one| one.starts_with(&format!("{line}: ")) && one.contains(what)),
            "{line} {what}:\n{all}"
        );
    }
    assert_eq!(told.len(), expected.len(), "{all}");
    assert!(!all.contains("i64") && !all.contains("target type"), "{all}");
    assert_eq!(rows(&tenancy).await, before);
}

#[tokio::test]
async fn one_mistake_hides_no_other_of_the_same_resource() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let text = r#"[[provider]]
name = "Far Away"
kind = "openai"
base_url = "not a url"
timeout_ms = -5
max_retries = 99999
enabled = "yes"

[[provider]]
name = "near"
kind = "opnai"
base_url = "ftp://x"
api_key_env = "SPACED"
timeout_ms = 0
options = { tokens = 1 }

[[provider]]
name = "made-up"
kind = "simulated"
base_url = "http://x"
options = { tokens = "x", tokens_per_second = -1, falt = "cut" }

[[model]]
name = "two words"
targets = []
hedge_percentile = 500
deadline_ms = "soon"
on_disconnect = "wait"

[[model]]
name = "cached"
strategy = "best"
targets = [
  { provider = "local", weight = 0 },
  { provider = "nobody", model = " ", wieght = 2 },
]

[model.cache]
ttl_s = -1
similarity = 0.1
embed_with = "nothing"
tll_s = 3

[[model]]
name = "alike"
targets = [{ provider = "local", model = "m" }]
cache = { similarity = 0.9 }

[[price]]
provider = "local"
model = " "
input = "abc"
output = "-1"
reasoning = "9000000"
batch_discount = "2"
effective_from = "soon"
"#;
    let expected = [
        "line 2: name: use 1 to 40 lower-case letters",
        "line 4: base_url of this provider is “not a url”, not a URL",
        "line 5: timeout_ms of this provider must be between",
        "line 6: max_retries of this provider must be between",
        "line 7: enabled of this provider must be true or false, not text",
        "line 11: kind: “opnai” is not a kind of provider",
        "line 12: base_url of this provider is “ftp://x”; it must start with http:// or https://",
        "line 13: api_key_env of this provider must be printable and without spaces",
        "line 14: timeout_ms of this provider must be between",
        "line 20: base_url of this provider must be left out",
        "line 21: options of this provider are wrong: falt: unknown field",
        "line 21: options of this provider are wrong: tokens: invalid type: string \"x\", expected a whole number",
        "line 21: options of this provider are wrong: tokens_per_second must be between",
        "line 24: name of this model cannot be used",
        "line 25: targets of this model are missing",
        "line 26: hedge_percentile of this model must be between 50 and 99",
        "line 27: deadline_ms of this model must be a whole number, not text",
        "line 28: on_disconnect: “wait” is nothing that on_disconnect can be",
        "line 32: strategy: “best” is not a strategy",
        "line 34: this target has no model",
        "line 34: weight of this target is not between 1 and",
        "line 35: a target has no field “wieght”; did you mean “weight”?",
        "line 35: model of this target is empty",
        "line 35: there is no provider “nobody”",
        "line 39: ttl_s of this cache must be between",
        "line 40: similarity of this cache must be between",
        "line 41: there is no model “nothing”",
        "line 42: a cache has no field “tll_s”; did you mean “ttl_s”?",
        "line 47: similarity of this cache needs embed_with beside it",
        "line 47: this cache has no ttl_s; add it",
        "line 51: model of this price is empty",
        "line 52: input: “abc” is not an amount",
        "line 53: output of this price is negative",
        "line 54: reasoning of this price is above 1000000 dollars",
        "line 55: batch_discount of this price is not between 0 and 1",
        "line 56: effective_from: “soon” is no moment",
    ];
    let told = mistakes(&tenancy, text).await;
    let all = told.join("\n");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{expected}\n{told}\n\n{all}");
    }
    assert_eq!(told.len(), expected.len(), "{all}");
}

#[tokio::test]
async fn what_is_there_twice_is_told_with_all_the_rest() {
    let text = r#"[[api_key]]
tenant = "nowhere"
name = "ci"
secret_env = "ACME_KEY"

[[api_key]]
tenant = "nowhere"
name = "other"
secret_env = "ACME_KEY"

[[price]]
provider = "local"
model = "m"
input = "1"
output = "2"
effective_from = "2026-01-01T00:00:00Z"

[[price]]
provider = "local"
model = "m"
input = "3"
output = "4"
effective_from = "2026-01-01T01:00:00+01:00"

[[price]]
provider = "local"
model = "m"
input = "3"
output = "4"
effective_from = "2026-02-01T00:00:00Z"

[[usage]]
tenant = "nowhere"
model = "nothing"
days = 3
requests_per_day = 1
input_tokens = 1
output_tokens = 1

[[usage]]
tenant = "nowhere"
model = "nothing"
days = 5
requests_per_day = 1
input_tokens = 1
output_tokens = 1
"#;
    told_as(
        text,
        &[
            "line 2: there is no tenant “nowhere”",
            "line 7: there is no tenant “nowhere”",
            "line 9: the secret that secret_env names is that of the key on line 4 already; make one for each key",
            "line 23: the price “local/m from 2026-01-01T00:00:00Z” is declared on line 16 already",
            "line 33: there is no tenant “nowhere”",
            "line 34: there is no model “nothing”",
            "line 41: there is no tenant “nowhere”",
            "line 42: the usage “nothing of nowhere” is declared on line 34 already",
            "line 42: there is no model “nothing”",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_region_and_a_name_are_what_they_look_like() {
    let text = r#"[[provider]]
name = "empty"
kind = "openai"
region = ""

[[provider]]
name = "blank"
kind = "openai"
region = "EU "

[[provider]]
name = "turned"
kind = "openai"
region = "eu\u202e"

[[provider]]
name = "broken"
kind = "openai"
region = "e\nu"

[[provider]]
name = "na\u200bme"
kind = "openai"

[[tenant]]
name = "acme"
region = "EU "

[[model]]
name = "fa\u202est"
targets = [{ provider = "local", model = "m\u200b" }]

[[price]]
provider = "local"
model = "m\u200b"
input = "1"
output = "2"
effective_from = "2026-01-01T00:00:00Z"
"#;
    told_as(
        text,
        &[
            "line 4: region of this provider cannot be used: use 1 to 40 characters on one line, such as eu",
            "line 9: region of this provider cannot be used: leave out the blanks around it",
            "line 14: region of this provider cannot be used: leave out the character U+202E",
            "line 19: region of this provider cannot be used: use 1 to 40 characters on one line",
            "line 22: name: use 1 to 40 lower-case letters",
            "line 27: region: leave out the blanks around it",
            "line 30: name of this model cannot be used: leave out the character U+202E",
            "line 31: model of this target cannot be used: leave out the character U+200B",
            "line 35: model of this price cannot be used: leave out the character U+200B",
        ],
    )
    .await;
}

#[tokio::test]
async fn mistakes_are_told_in_the_words_of_the_file() {
    let text = r#"[[plan]]
name = "pro"
monthly_fee = "99"
overage_markup = "1.4"
tokens_per_minute = 1.5

[[tenant]]
name = "acme"

[[api_key]]
tenant = "acme"
name = "ci"
secret_env = ""
secret = "x"
"#;
    told_as(
        text,
        &[
            "line 5: tokens_per_minute of this plan must be a whole number, not 1.5",
            "line 13: secret_env is empty; write the name of a variable, or leave secret_env out",
            "line 14: an api_key has no field “secret”",
        ],
    )
    .await;
}
