//! The settings: environment over `seam.toml` over defaults.
//!
//! A name that is not known is refused with the nearest one that is: a setting that was misspelt must not
//! silently be its default. Parsed once, at the start; nothing else reads the environment.

use crate::{http::PublicUrl, nearest::hint};
use contract::{Email, Password};
use platform::{LocalSettings, MailRefused, MailSettings, ProviderKeys};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use store::Location;
use tenancy::Secret;
use toml::de::{DeTable, DeValue};

/// Every setting: its key in `seam.toml`; in the environment `SEAM_` and upper case.
pub const KEYS: [&str; 19] = [
    "listen",
    "public_url",
    "data_dir",
    "database_url",
    "master_key",
    "master_key_file",
    "master_key_also",
    "operator_email",
    "operator_password",
    "log",
    "log_format",
    "local_threads",
    "local_slots",
    "shutdown_seconds",
    "trust_proxy",
    "metrics_token",
    "smtp_url",
    "mail_from",
    "private_identity_providers",
];

/// Names under `SEAM_` that belong to scripts and tests, not to the server.
const FOREIGN: [&str; 7] =
    ["SEAM_TEST_", "SEAM_BENCH_", "SEAM_DEMO_", "SEAM_CACHE_DIR", "SEAM_TARGET_CPU", "SEAM_SITE_DIR", "SEAM_CPU"];

/// Where Ollama listens unless it is told otherwise.
const OLLAMA_DEFAULT: &str = "127.0.0.1:11434";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// The settings of a process.
#[derive(Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// None: from the address that is listened on.
    pub public_url: Option<PublicUrl>,
    pub data_dir: PathBuf,
    /// SQLite under the data directory, or PostgreSQL.
    pub database: Location,
    pub master_key: Option<String>,
    pub master_key_file: Option<PathBuf>,
    /// Opens secrets as well, while the master key is changed.
    pub master_key_also: Option<String>,
    /// The first operator, created without the one-time link.
    pub operator: Option<(Email, Password)>,
    pub log: String,
    pub log_format: LogFormat,
    pub local_threads: Option<usize>,
    pub local_slots: Option<usize>,
    /// How long answers may go on after the first signal to stop.
    pub shutdown_limit: Duration,
    /// Whether the client's address is what a proxy in front says it is.
    pub trust_proxy: bool,
    /// Who may read `/metrics` from elsewhere than this machine.
    pub metrics_token: Option<Secret>,
    pub provider_keys: ProviderKeys,
    /// The relay that takes letters; none: links are shown instead.
    pub mail: Option<MailSettings>,
    /// Whether tenants' identity providers may be on private networks, and on this machine without TLS.
    pub private_identity_providers: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no setting {name}{}", hint(name, known.iter().map(String::as_str)))]
    UnknownVariable { name: String, known: Vec<String> },
    #[error("{} line {line}: there is no setting “{key}”{}", path.display(), hint(key, KEYS))]
    UnknownKey { path: PathBuf, line: usize, key: String },
    #[error("{} line {line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{place}: {reason}")]
    Value { place: String, reason: String },
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
}

/// A setting as it was written, and where.
struct Written {
    text: String,
    place: String,
    /// What a relative path in it is relative to.
    base: Option<PathBuf>,
}

impl Config {
    /// Reads the settings. `file` must exist; without one, `seam.toml` in the working directory is read if it does.
    pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut settings = BTreeMap::new();
        let default = Path::new("seam.toml");
        let path = file.or_else(|| default.is_file().then_some(default));
        if let Some(path) = path {
            let text =
                std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
            read_file(path, &text, &mut settings)?;
        }
        let mut others = BTreeMap::new();
        read_environment(environment, &mut settings, &mut others)?;
        Self::parse(&settings, &others)
    }

    fn parse(
        settings: &BTreeMap<&'static str, Written>,
        others: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let refusal = |key: &str, reason: String| {
            let place = settings.get(key).map_or_else(|| key.to_owned(), |written| written.place.clone());
            ConfigError::Value { place, reason }
        };
        let text = |key: &str| settings.get(key).map(|written| written.text.as_str());
        let path = |key: &str| {
            settings.get(key).map(|written| match &written.base {
                Some(base) => base.join(&written.text),
                None => PathBuf::from(&written.text),
            })
        };
        let listen = text("listen").unwrap_or("127.0.0.1:3000");
        let Ok(listen) = listen.parse() else {
            return Err(refusal("listen", format!("“{listen}” is not an address and port such as 127.0.0.1:3000")));
        };
        let public_url = match text("public_url").map(PublicUrl::parse).transpose() {
            Ok(url) => url,
            Err(reason) => return Err(refusal("public_url", reason)),
        };
        let data_dir = path("data_dir").unwrap_or_else(|| PathBuf::from("data"));
        let database = match Location::parse(text("database_url"), &data_dir) {
            Ok(database) => database,
            Err(error) => return Err(refusal("database_url", error.to_string())),
        };
        let operator = match (text("operator_email"), text("operator_password")) {
            (None, None) => None,
            (Some(email), Some(password)) => {
                let Ok(email) = email.parse::<Email>() else {
                    return Err(refusal(
                        "operator_email",
                        "this is no e-mail address such as ada@example.com".to_owned(),
                    ));
                };
                match Password::chosen(password.to_owned()) {
                    Ok(password) => Some((email, password)),
                    Err(error) => return Err(refusal("operator_password", error.to_string())),
                }
            }
            (Some(_), None) => {
                return Err(refusal("operator_email", "operator_password must be set with it".to_owned()));
            }
            (None, Some(_)) => {
                return Err(refusal("operator_password", "operator_email must be set with it".to_owned()));
            }
        };
        let log_format = match text("log_format") {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => return Err(refusal("log_format", format!("“{other}” is neither text nor json"))),
        };
        let number = |key: &str, lowest: usize, highest: usize| match text(key).map(str::parse::<usize>) {
            None => Ok(None),
            Some(Ok(number)) if (lowest..=highest).contains(&number) => Ok(Some(number)),
            Some(_) => Err(refusal(key, format!("use a whole number from {lowest} to {highest}"))),
        };
        let truth = |key: &str| match text(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(refusal(key, format!("“{other}” is neither true nor false"))),
        };
        let mail = match (text("smtp_url"), text("mail_from")) {
            (None, None) => None,
            (Some(url), Some(from)) => Some(MailSettings::parse(url, from).map_err(|refused| {
                let key = if matches!(refused, MailRefused::Url(_)) { "smtp_url" } else { "mail_from" };
                refusal(key, refused.to_string())
            })?),
            (Some(_), None) => return Err(refusal("smtp_url", "mail_from must be set with it".to_owned())),
            (None, Some(_)) => return Err(refusal("mail_from", "smtp_url must be set with it".to_owned())),
        };
        let given = |name: &str| others.get(name).cloned();
        Ok(Self {
            listen,
            public_url,
            data_dir,
            database,
            master_key: text("master_key").map(str::to_owned),
            master_key_file: path("master_key_file"),
            master_key_also: text("master_key_also").map(str::to_owned),
            operator,
            log: text("log").unwrap_or("info").to_owned(),
            log_format,
            local_threads: number("local_threads", 1, 512)?,
            local_slots: number("local_slots", 1, 64)?,
            shutdown_limit: Duration::from_secs(number("shutdown_seconds", 0, 3600)?.unwrap_or(20) as u64),
            trust_proxy: truth("trust_proxy")?,
            mail,
            private_identity_providers: truth("private_identity_providers")?,
            metrics_token: text("metrics_token").map(|token| Secret::new(token.to_owned())),
            provider_keys: ProviderKeys {
                openai: given("OPENAI_API_KEY"),
                anthropic: given("ANTHROPIC_API_KEY"),
                ollama_url: Some(ollama_url(others.get("OLLAMA_HOST").map_or(OLLAMA_DEFAULT, String::as_str))),
            },
        })
    }

    pub fn models_dir(&self) -> PathBuf {
        self.data_dir.join("models")
    }

    pub fn local(&self) -> LocalSettings {
        let mut local = LocalSettings::new(self.models_dir());
        local.threads = self.local_threads.unwrap_or(local.threads);
        local.slots = self.local_slots.unwrap_or(local.slots);
        local
    }
}

/// Ollama's own variable holds a host and port, with or without a scheme; its dialect lives under `/v1`.
fn ollama_url(host: &str) -> String {
    let host = host.trim_end_matches('/').replace("0.0.0.0", "127.0.0.1");
    if host.contains("://") { format!("{host}/v1") } else { format!("http://{host}/v1") }
}

fn variable(key: &str) -> String {
    format!("SEAM_{}", key.to_uppercase())
}

fn read_environment(
    environment: impl Iterator<Item = (String, String)>,
    settings: &mut BTreeMap<&'static str, Written>,
    others: &mut BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    // Set and empty is how shells and containers say “unset”.
    for (name, value) in environment.filter(|(_, value)| !value.is_empty()) {
        if !name.starts_with("SEAM_") {
            others.insert(name, value);
        } else if let Some(key) = KEYS.into_iter().find(|key| variable(key) == name) {
            settings.insert(key, Written { text: value, place: name, base: None });
        } else if !FOREIGN.iter().any(|foreign| name.starts_with(foreign)) {
            return Err(ConfigError::UnknownVariable { name, known: KEYS.map(variable).into() });
        }
    }
    Ok(())
}

fn read_file(path: &Path, source: &str, settings: &mut BTreeMap<&'static str, Written>) -> Result<(), ConfigError> {
    let line_of = |offset: usize| source.get(..offset).unwrap_or(source).matches('\n').count() + 1;
    let table = DeTable::parse(source).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_of(span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    for (name, value) in table.get_ref() {
        let line = line_of(name.span().start);
        let Some(key) = KEYS.into_iter().find(|key| *key == name.get_ref().as_ref()) else {
            return Err(ConfigError::UnknownKey { path: path.to_owned(), line, key: name.get_ref().to_string() });
        };
        let place = format!("{} line {line}: {key}", path.display());
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return Err(ConfigError::Value { place, reason: "write the value in quotes".to_owned() });
            }
        };
        let base = path.parent().map(Path::to_owned);
        settings.insert(key, Written { text, place, base });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seam.toml");
        std::fs::write(&path, file.unwrap_or_default()).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let loaded = Config::load(Some(&path), variables.collect::<Vec<_>>().into_iter());
        loaded.map_err(|error| error.to_string().replace(&dir.path().display().to_string(), "."))
    }

    #[test]
    fn without_settings_everything_has_its_default() {
        let config = load(None, &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
        assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
        assert!(config.public_url.is_none() && config.operator.is_none() && !config.trust_proxy);
        assert_eq!(config.shutdown_limit, Duration::from_secs(20));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load(Some("listen = \"127.0.0.1:1\"\nlog = \"warn\""), &[("SEAM_LISTEN", "127.0.0.1:2")]).unwrap();
        assert_eq!((config.listen.port(), config.log.as_str()), (2, "warn"));
    }

    #[test]
    fn paths_in_a_file_are_relative_to_it() {
        assert!(load(Some("data_dir = \"here\""), &[]).unwrap().data_dir.is_absolute());
        assert_eq!(load(None, &[("SEAM_DATA_DIR", "here")]).unwrap().data_dir, Path::new("here"));
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_right_one() {
        let refused = load(None, &[("SEAM_LISEN", "x")]).map(drop).unwrap_err();
        assert_eq!(refused, "there is no setting SEAM_LISEN; did you mean “SEAM_LISTEN”?");
        let refused = load(Some("log = \"info\"\n\npublik_url = \"x\""), &[]).map(drop).unwrap_err();
        assert_eq!(refused, "./seam.toml line 3: there is no setting “publik_url”; did you mean “public_url”?");
    }

    #[test]
    fn names_of_scripts_and_tests_are_left_alone() {
        for name in ["SEAM_TEST_MODELS_DIR", "SEAM_CACHE_DIR", "SEAM_TARGET_CPU", "SEAM_BENCH_THREADS", "OTHER"] {
            assert!(load(None, &[(name, "x")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_says_where_it_stands() {
        for (file, variables, expected) in [
            ("listen = \"3000\"", None, "./seam.toml line 1: listen: “3000” is not an address"),
            ("", Some(("SEAM_LOG_FORMAT", "xml")), "SEAM_LOG_FORMAT: “xml” is neither text nor json"),
            ("", Some(("SEAM_OPERATOR_EMAIL", "ada@acme.test")), "SEAM_OPERATOR_EMAIL: operator_password must be set"),
            (
                "",
                Some(("SEAM_DATABASE_URL", "mysql://ada:hunter2@x/seam")),
                "SEAM_DATABASE_URL: Seam knows no database of this kind; use postgres://",
            ),
            ("", Some(("SEAM_PUBLIC_URL", "example.com")), "SEAM_PUBLIC_URL: “example.com” is not"),
            ("", Some(("SEAM_SMTP_URL", "smtp://mail.test")), "SEAM_SMTP_URL: mail_from must be set with it"),
            (
                "mail_from = \"seam@acme.test\"",
                Some(("SEAM_SMTP_URL", "smtp://ada@mail.test")),
                "SEAM_SMTP_URL: a user needs a password",
            ),
            ("local_slots = 0", None, "./seam.toml line 1: local_slots: use a whole number from 1 to 64"),
            ("listen = [1]", None, "./seam.toml line 1: listen: write the value in quotes"),
            ("\nlisten = ", None, "./seam.toml line 2: "),
        ] {
            let refused = load(Some(file), variables.as_slice()).map(drop).unwrap_err();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }

    #[test]
    fn the_database_is_files_under_the_data_directory_or_another_machines() {
        assert_eq!(load(None, &[("SEAM_DATA_DIR", "here")]).unwrap().database.to_string(), "here");
        let shared = load(Some("database_url = \"postgres://seam:hunter2@db.test/seam\""), &[]).unwrap();
        assert_eq!(shared.database.to_string(), "postgres://seam@db.test:5432/seam");
    }

    #[test]
    fn ollamas_own_variable_is_understood() {
        assert_eq!(ollama_url(OLLAMA_DEFAULT), "http://127.0.0.1:11434/v1");
        assert_eq!(ollama_url("https://gpu.test/"), "https://gpu.test/v1");
        assert_eq!(ollama_url("0.0.0.0:9"), "http://127.0.0.1:9/v1");
    }
}
