//! Pages about the model.

mod choose;

pub use choose::ModelChoose;
