//! `seam user create|reset-link`. The password comes from a variable, a prompt, or standard input, never as an argument.

use super::{Failure, print_json, workbench};
use crate::{config::Config, http::PublicUrl};
use contract::{Email, Password, Role, Slug};
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use tenancy::{OperatorScope, RESET_LIFETIME};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Users {
    /// Creates an account, and makes it a member of a tenant
    Create {
        /// The address to sign in with
        email: Email,
        /// The tenant to be a member of
        #[arg(long, value_name = "NAME", required_unless_present = "operator")]
        tenant: Option<Slug>,
        /// admin, member or viewer of that tenant
        #[arg(long, default_value = "member", requires = "tenant")]
        role: Role,
        /// An operator runs the platform
        #[arg(long)]
        operator: bool,
        /// The variable that holds the password; without it the password is asked for, or read from standard input
        #[arg(long, value_name = "VARIABLE")]
        password_env: Option<String>,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Makes a link by which somebody sets a new password: it works once, within the hour, and is shown only now
    ResetLink {
        /// The address they sign in with
        email: Email,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Users {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        match self {
            Self::Create { email, tenant, role, operator, password_env, json } => {
                let asked = New { email, tenant, role, operator, password_env, json };
                asked.create(&config).await
            }
            Self::ResetLink { email, json } => reset_link(&config, &email, json).await,
        }
    }
}

/// The link's beginning comes from the settings; a server that took a free port by itself is not known here.
async fn reset_link(config: &Config, email: &Email, json: bool) -> Result<(), Failure> {
    let tenancy = workbench::open(config).await?;
    let token = tenancy.password_reset_link_create(&OperatorScope::command_line(), email).await?;
    tenancy.control().close().await;
    let base = config.public_url.clone().unwrap_or_else(|| PublicUrl::plain(config.listen));
    let link = format!("{base}/reset/{token}");
    if json {
        print_json(&json!({ "email": email, "link": link, "works_for_seconds": RESET_LIFETIME.as_secs() }));
    } else {
        println!("Hand this to {email}; it works once, within the hour:\n{link}");
    }
    Ok(())
}

/// What `seam user create` was told.
struct New {
    email: Email,
    tenant: Option<Slug>,
    role: Role,
    operator: bool,
    password_env: Option<String>,
    json: bool,
}

impl New {
    async fn create(self, config: &Config) -> Result<(), Failure> {
        let Self { email, tenant, role, operator, password_env, json } = self;
        let password = password(password_env.as_deref())?;
        let tenancy = workbench::open(config).await?;
        let its_tenant = match &tenant {
            None => None,
            Some(slug) => Some(tenancy.tenant_by_slug(slug).await?.ok_or_else(|| {
                Failure::new(format!("there is no tenant “{slug}”"))
                    .remedy(format!("create it first: seam tenant create {slug}"))
            })?),
        };
        let membership = its_tenant.as_ref().map(|tenant| (tenant.id, role));
        let author = OperatorScope::command_line();
        let user = tenancy.user_open(&author, &email, Some(password), operator, membership).await?;
        tenancy.control().close().await;
        let role = its_tenant.is_some().then_some(role);
        if json {
            print_json(&json!({
                "id": user, "email": email, "operator": operator, "tenant": tenant, "role": role,
            }));
        } else {
            match (&tenant, role) {
                (Some(tenant), Some(role)) => println!("{email} was created, {role} of {tenant}."),
                _ => println!("{email} was created."),
            }
        }
        Ok(())
    }
}

fn password(variable: Option<&str>) -> Result<Password, Failure> {
    let text = match variable {
        Some(name) => std::env::var(name).map_err(|_| {
            Failure::usage(format!("the variable {name} is not set; export the password in it and try again"))
        })?,
        None if std::io::stdin().is_terminal() => prompt()?,
        None => {
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| Failure::new(format!("no password could be read from standard input: {error}")))?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    Password::chosen(text).map_err(|error| Failure::new(format!("this password cannot be used; {error}")))
}

fn prompt() -> Result<String, Failure> {
    let ask = |words: &str| {
        rpassword::prompt_password(words).map_err(|error| Failure::new(format!("no password could be read: {error}")))
    };
    let first = ask("Password: ")?;
    if ask("The same again: ")? == first { Ok(first) } else { Err(Failure::new("the two passwords differ; try again")) }
}
