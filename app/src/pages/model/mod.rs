//! Pages about models: the first one, and the operator's list of all with where they are answered.

mod choose;
mod list;
mod trial;

pub use choose::ModelChoose;
pub use list::ModelList;
