//! People, as the operator manages them.

mod list;

pub use list::UserList;
