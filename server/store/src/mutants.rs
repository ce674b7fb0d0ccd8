//! Guards taken away, one at a time, to see whether the isolation suite notices (`make isolation-mutants`).
//!
//! Compiled with the feature `mutants` alone, which no server that serves has: `seam serve` refuses to start with it.
//! Which guard is off is told by the environment: `SEAM_MUTANT_STATEMENTS` names a file of statements and what takes
//! their place, `SEAM_MUTANT_POLICIES` the tables whose row level security lets everybody through (`*`: all),
//! `SEAM_MUTANT_CHECK` the place of a check that is passed over.

use std::{collections::HashMap, env, panic::Location, sync::OnceLock};

/// Between a statement and what takes its place, and between one pair and the next.
const AND: char = '\u{1f}';
const NEXT: char = '\u{1e}';

/// The statement that is run where `sql` stands in the source.
pub(crate) fn statement(sql: &'static str) -> &'static str {
    static STATEMENTS: OnceLock<HashMap<String, String>> = OnceLock::new();
    let statements = STATEMENTS.get_or_init(|| {
        let text = env::var("SEAM_MUTANT_STATEMENTS").ok().and_then(|path| std::fs::read_to_string(path).ok());
        let pairs = text.unwrap_or_default();
        let pairs = pairs.split(NEXT).filter_map(|pair| pair.split_once(AND));
        pairs.map(|(from, to)| (from.to_owned(), to.to_owned())).collect()
    });
    statements.get(sql).map_or(sql, String::as_str)
}

/// Whether everybody sees every row of a table of the tenant plane.
pub(crate) fn policy_is_off(table: &str) -> bool {
    let off = env::var("SEAM_MUTANT_POLICIES").unwrap_or_default();
    off == "*" || off.split(',').any(|name| name == table)
}

/// Whether the check that is made at this place of the source is passed over.
pub fn check_is_off(at: &Location<'_>) -> bool {
    static OFF: OnceLock<Option<String>> = OnceLock::new();
    let off = OFF.get_or_init(|| env::var("SEAM_MUTANT_CHECK").ok());
    off.as_ref().is_some_and(|off| *off == format!("{}:{}", at.file(), at.line()))
}
