//! `seam key create|list|revoke`. A secret is printed once, alone on its line; it is never an argument.

use super::{Failure, print_json, workbench};
use crate::config::Config;
use contract::{Day, KeyId, KeyLifetime, KeyScope, KeyState, KeyView, Slug, Timestamp};
use registry::Registry;
use serde_json::{Value, json};
use tenancy::{NewKey, OperatorScope, Scope, Tenancy, TenancyError};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Keys {
    /// Makes a key and prints its secret, this once
    Create {
        /// What it is for, such as production
        name: String,
        #[command(flatten)]
        whose: Whose,
        /// Lets it manage the tenant as well as call models
        #[arg(long)]
        manage: bool,
        /// A model it may ask for; repeat it for more, leave it out for all
        #[arg(long = "model", value_name = "MODEL")]
        models: Vec<String>,
        /// When it ends: after so many days, as 90d, or with the end of a day of UTC, as 2027-12-31; never unless given
        #[arg(long, value_name = "WHEN", value_parser = lifetime)]
        expires: Option<KeyLifetime>,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists keys, those that work first
    List {
        #[command(flatten)]
        whose: Whose,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Ends a key, from its next request on
    Revoke {
        /// Its id, as `seam key list` shows it
        id: KeyId,
        #[command(flatten)]
        whose: Whose,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Whose keys.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// Keys of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<Slug>,
    /// The operator's own keys, which reach every tenant's management
    #[arg(long)]
    operator: bool,
}

enum Holder {
    Tenant(Scope),
    Operator(OperatorScope),
}

impl Whose {
    async fn holder(&self, tenancy: &Tenancy) -> Result<Holder, Failure> {
        let Some(slug) = &self.tenant else { return Ok(Holder::Operator(OperatorScope::command_line())) };
        let tenant = tenancy.tenant_by_slug(slug).await?.ok_or_else(|| {
            Failure::new(format!("there is no tenant “{slug}”")).remedy("list them: seam tenant list".to_owned())
        })?;
        Ok(Holder::Tenant(tenancy.command_line_scope(tenant.id)))
    }
}

impl Keys {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let tenancy = workbench::open(&config).await?;
        match self {
            Self::Create { name, whose, manage, models, expires, json } => {
                let may = if manage { KeyScope::ALL.to_vec() } else { vec![KeyScope::Inference] };
                let models = (!models.is_empty()).then_some(models);
                let expires_at = expires.and_then(|lifetime| lifetime.end(tenancy.clock().now()));
                let new = NewKey { name, scopes: may, models, expires_at };
                let registry = Registry::new(tenancy.control().clone(), tenancy.clock().clone());
                platform::models_are_there(&registry, &new).await.map_err(|problem| Failure::new(problem.detail))?;
                let (id, secret) = match whose.holder(&tenancy).await? {
                    Holder::Tenant(scope) => {
                        tenancy.key_create(&scope, &new).await.map_err(|error| made(error, &whose))?
                    }
                    Holder::Operator(operator) => tenancy.operator_key_create(&operator, &new).await?,
                };
                if json {
                    let secret = secret.expose();
                    print_json(&json!({ "id": id, "name": new.name, "secret": secret, "expires_at": new.expires_at }));
                } else {
                    println!("{}", secret.expose());
                    eprintln!(
                        "This is the key “{}”. It is shown only now; keep it where your program finds it.",
                        new.name
                    );
                }
            }
            Self::List { whose, json } => {
                let keys = match whose.holder(&tenancy).await? {
                    Holder::Tenant(scope) => tenancy.key_list(&scope).await?,
                    Holder::Operator(operator) => tenancy.operator_key_list(&operator).await?,
                };
                if json {
                    print_json(&json!({ "keys": keys.iter().map(record).collect::<Vec<_>>() }));
                } else if keys.is_empty() {
                    println!("There are no keys yet. Make one: seam key create NAME");
                } else {
                    table(&keys, tenancy.clock().now());
                }
            }
            Self::Revoke { id, whose, json } => {
                match whose.holder(&tenancy).await? {
                    Holder::Tenant(scope) => tenancy.key_revoke(&scope, id).await?,
                    Holder::Operator(operator) => tenancy.operator_key_revoke(&operator, id).await?,
                }
                if json {
                    print_json(&json!({ "id": id, "revoked": true }));
                } else {
                    println!("The key was revoked; it opens nothing from now on.");
                }
            }
        }
        tenancy.control().close().await;
        Ok(())
    }
}

fn made(error: TenancyError, whose: &Whose) -> Failure {
    match (error, &whose.tenant) {
        (error @ TenancyError::AlreadyExists { .. }, Some(tenant)) => Failure::of(&error).remedy(format!(
            "choose another name, or revoke that one first: seam key list --tenant {tenant} has its id"
        )),
        (error, _) => error.into(),
    }
}

fn record(key: &KeyView) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "models": key.models,
        "created_by": key.created_by,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    })
}

fn table(keys: &[KeyView], now: Timestamp) {
    let name = keys.iter().map(|key| key.name.chars().count()).max().unwrap_or(0).max(4);
    println!("{:<36}  {:<name$}  {:<17}  {:<7}  EXPIRES", "ID", "NAME", "KEY", "STATE");
    for key in keys {
        let state = match key.state(now) {
            KeyState::Active => "works",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        };
        let end = key.expires_at.map_or_else(|| "never".to_owned(), |end| Day::of(end).to_string());
        println!("{}  {:<name$}  {:<17}  {state:<7}  {end}", key.id, key.name, format!("{}…", key.prefix));
    }
}

/// `90d`, or a date.
fn lifetime(text: &str) -> Result<KeyLifetime, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok()).filter(|days| *days > 0);
    match (days, text.parse::<Day>()) {
        (Some(days), _) => Ok(KeyLifetime::Days(days)),
        (None, Ok(day)) => Ok(KeyLifetime::Through(day)),
        (None, Err(_)) => Err("write a number of days, as 90d, or a day, as 2027-12-31".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_days_or_a_day() {
        assert_eq!(lifetime("90d"), Ok(KeyLifetime::Days(90)));
        assert_eq!(lifetime("2027-12-31"), Ok(KeyLifetime::Through("2027-12-31".parse().unwrap())));
        for bad in ["", "0d", "90", "-1d", "2027-02-30", "tomorrow", "99999d"] {
            lifetime(bad).unwrap_err();
        }
    }
}
