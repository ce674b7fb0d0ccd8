//! `seam user create|list|reset-link|sign-out|operator|delete`. The password comes from a variable, a prompt, or standard input, never as an argument.

use super::{
    Failure,
    columns::{Column, table},
    confirm, print_json, tenant, workbench,
};
use crate::{config::Config, http::PublicUrl};
use contract::{Email, ListQuery, Password, Role, Slug};
use lifecycle::Lifecycle;
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use store::TenantStores;
use tenancy::{OperatorScope, RESET_LIFETIME, Tenancy, UserRecord};

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
    /// Lists people: everybody who can sign in, or those of a tenant with their roles
    List {
        /// Only those of this tenant
        #[arg(long, value_name = "NAME")]
        tenant: Option<Slug>,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Ends every session of somebody, from the next request on
    SignOut {
        /// The address they sign in with
        email: Email,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Lets somebody run the platform, or no more; the last operator stays one
    Operator {
        /// The address they sign in with
        email: Email,
        #[command(flatten)]
        may: May,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Deletes somebody's account for good, with its memberships, sessions and sign-ins. What they wrote stays their
    /// tenants'
    Delete {
        /// The address they sign in with
        email: Email,
        /// Does not ask; must be the same address
        #[arg(long, value_name = "EMAIL")]
        yes: Option<String>,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Makes a link by which somebody sets a new password: it works once, within the hour, and is shown only now
    #[command(visible_alias = "reset-password")]
    ResetLink {
        /// The address they sign in with
        email: Email,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct May {
    /// They may from now on
    #[arg(long)]
    on: bool,
    /// They may no more
    #[arg(long)]
    off: bool,
}

impl Users {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        match self {
            Self::Create { email, tenant, role, operator, password_env, json } => {
                let asked = New { email, tenant, role, operator, password_env, json };
                asked.create(&config).await
            }
            Self::List { tenant, json } => list(&config, tenant.as_ref(), json).await,
            Self::SignOut { email, json } => sign_out(&config, &email, json).await,
            Self::Operator { email, may, json } => operator(&config, &email, may.on, json).await,
            Self::Delete { email, yes, json } => delete(&config, &email, yes, json).await,
            Self::ResetLink { email, json } => reset_link(&config, &email, json).await,
        }
    }
}

async fn list(config: &Config, tenant: Option<&Slug>, json: bool) -> Result<(), Failure> {
    let tenancy = workbench::open(config).await?;
    // One page of all: lists of people end in scripts.
    let query = ListQuery { page: 1, ..ListQuery::default() };
    let (records, rows) = match tenant {
        Some(slug) => {
            let scope = tenancy.command_line_scope(tenant::found(&tenancy, slug).await?.id);
            let people = tenancy.member_page(&scope, &query, i64::MAX).await?.items;
            let record = |one: &contract::MemberView| json!({ "id": one.user, "email": one.email, "role": one.role, "joined_at": one.joined_at });
            let row = |one: &contract::MemberView| [one.email.to_string(), one.role.to_string()];
            (people.iter().map(record).collect::<Vec<_>>(), Rows::OfTenant(people.iter().map(row).collect()))
        }
        None => {
            let people = tenancy.user_page_sized(&OperatorScope::command_line(), &query, i64::MAX).await?.items;
            let record = |one: &contract::UserSummary| {
                json!({
                    "id": one.user, "email": one.email, "operator": one.operator, "tenant": one.tenant,
                    "memberships": one.memberships, "created_at": one.created_at,
                })
            };
            (people.iter().map(record).collect(), Rows::OfAll(people.iter().map(row_of_all).collect()))
        }
    };
    tenancy.control().close().await;
    if json {
        print_json(&json!({ "tenant": tenant, "users": records }));
    } else if records.is_empty() {
        println!("There is nobody yet. Make somebody: seam user create EMAIL --tenant NAME");
    } else {
        print!("{}", rows.table());
    }
    Ok(())
}

/// People as a table: of one tenant they have a role, of all they have tenants.
enum Rows {
    OfTenant(Vec<[String; 2]>),
    OfAll(Vec<[String; 3]>),
}

impl Rows {
    fn table(&self) -> String {
        match self {
            Self::OfTenant(rows) => table([Column::Left("ADDRESS"), Column::Left("ROLE")], rows),
            Self::OfAll(rows) => {
                table([Column::Left("ADDRESS"), Column::Left("OPERATOR"), Column::Left("TENANTS")], rows)
            }
        }
    }
}

fn row_of_all(one: &contract::UserSummary) -> [String; 3] {
    let others = one.memberships - 1;
    let tenants = match &one.tenant {
        None => "–".to_owned(),
        Some(first) if others > 0 => format!("{first} and {others} more"),
        Some(first) => first.to_string(),
    };
    [one.email.to_string(), if one.operator { "yes" } else { "no" }.to_owned(), tenants]
}

async fn found(tenancy: &Tenancy, email: &Email) -> Result<UserRecord, Failure> {
    tenancy
        .user_by_email(email)
        .await?
        .ok_or_else(|| Failure::new(format!("there is no account “{email}”")).remedy("list them: seam user list"))
}

async fn sign_out(config: &Config, email: &Email, json: bool) -> Result<(), Failure> {
    let tenancy = workbench::open(config).await?;
    let user = found(&tenancy, email).await?;
    tenancy.user_sign_out(&OperatorScope::command_line(), user.id).await?;
    tenancy.control().close().await;
    if json {
        print_json(&json!({ "id": user.id, "email": email, "sessions": "ended" }));
    } else {
        println!("No session of {email} works any more.");
    }
    Ok(())
}

async fn operator(config: &Config, email: &Email, may: bool, json: bool) -> Result<(), Failure> {
    let tenancy = workbench::open(config).await?;
    let user = found(&tenancy, email).await?;
    tenancy.user_operator_set(&OperatorScope::command_line(), user.id, may).await?;
    tenancy.control().close().await;
    if json {
        print_json(&json!({ "id": user.id, "email": email, "operator": may }));
    } else if may {
        println!("{email} runs the platform.");
    } else {
        println!("{email} does not run the platform.");
    }
    Ok(())
}

async fn delete(config: &Config, email: &Email, yes: Option<String>, json: bool) -> Result<(), Failure> {
    let tenancy = workbench::open(config).await?;
    let user = found(&tenancy, email).await?;
    let confirmed = match yes {
        Some(address) => address,
        None => {
            confirm::somebody_is_there(email.as_str())?;
            let of = tenancy.memberships(user.id).await?;
            let of: Vec<_> = of.iter().map(|membership| membership.slug.as_str()).collect();
            let of = if of.is_empty() { "no tenant".to_owned() } else { of.join(", ") };
            eprintln!("This deletes the account of {email} (a member of {of}) for good. What they wrote stays there.");
            confirm::typed(email.as_str())?
        }
    };
    let stores = TenantStores::new(&config.database);
    let lifecycle = Lifecycle::new(config.database.clone(), tenancy.control().clone(), stores, tenancy.clone());
    let gone = lifecycle.person_delete(&OperatorScope::command_line(), user.id, &confirmed).await?;
    tenancy.control().close().await;
    if json {
        print_json(&json!({ "id": user.id, "email": gone.email, "left": gone.tenants }));
    } else {
        println!("{email} was deleted.");
    }
    Ok(())
}

/// The link's beginning comes from the settings; a server that took a free port by itself is not known here.
async fn reset_link(config: &Config, email: &Email, json: bool) -> Result<(), Failure> {
    let tenancy = workbench::open(config).await?;
    found(&tenancy, email).await?;
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
