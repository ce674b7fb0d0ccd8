//! What pages are made of.

pub mod chat;
pub mod entrance;
pub mod form;
pub mod frame;
pub mod history;
pub mod icon;
pub mod palette;
pub mod problem;
