//! Invitations.

mod accept;

pub use accept::InvitationAccept;
