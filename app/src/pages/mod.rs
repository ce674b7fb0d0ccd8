//! The pages, one folder a noun and one file a verb.

mod account;
mod chat;
mod home;
mod missing;
mod model;
mod operator;
mod session;
mod tenant;

pub use account::AccountShow;
pub use chat::ChatShow;
pub use home::HomeShow;
pub use missing::MissingShow;
pub use model::ModelChoose;
pub use operator::OperatorCreate;
pub use session::SessionCreate;
pub use tenant::TenantCreate;
