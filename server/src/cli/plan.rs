//! `seam plan list`: what tenants can be on. Plans are declared by `seam apply`, or set by the management API.

use super::{
    Failure,
    columns::{Column, table},
    print_json, workbench,
};
use crate::config::Config;
use metering::{Metering, Millionths, NewPlan};
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Plans {
    /// Lists all plans
    List {
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Plans {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let Self::List { json } = self;
        let tenancy = workbench::open(&config).await?;
        let plans = Metering::plans_in(tenancy.control()).await?;
        tenancy.control().close().await;
        if json {
            print_json(&json!({ "plans": plans.iter().map(record).collect::<Vec<_>>() }));
        } else if plans.is_empty() {
            println!("There are no plans yet. Declare one: seam apply -f FILE (docs/resources.md)");
        } else {
            let rows: Vec<_> = plans.iter().map(row).collect();
            print!("{}", table(HEADS, &rows));
        }
        Ok(())
    }
}

const HEADS: [Column; 7] = [
    Column::Left("NAME"),
    Column::Right("MONTHLY FEE"),
    Column::Right("CREDIT"),
    Column::Right("MARKUP"),
    Column::Right("REQUESTS/MIN"),
    Column::Right("TOKENS/MIN"),
    Column::Right("AT ONCE"),
];

fn row(plan: &NewPlan) -> [String; 7] {
    let limit = |limit: Option<i64>| limit.map_or_else(|| "–".to_owned(), |limit| limit.to_string());
    [
        plan.name.clone(),
        format!("${}", plan.monthly_fee),
        format!("${}", plan.included_credit),
        Millionths(plan.overage_markup_millionths).to_string(),
        limit(plan.requests_per_minute),
        limit(plan.tokens_per_minute),
        limit(plan.max_concurrent),
    ]
}

fn record(plan: &NewPlan) -> Value {
    json!({
        "name": plan.name,
        "monthly_fee": plan.monthly_fee.to_string(),
        "included_credit": plan.included_credit.to_string(),
        "overage_markup": Millionths(plan.overage_markup_millionths).to_string(),
        "requests_per_minute": plan.requests_per_minute,
        "tokens_per_minute": plan.tokens_per_minute,
        "max_concurrent": plan.max_concurrent,
    })
}
