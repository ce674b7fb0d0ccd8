//! Why a place is not among those that are asked.

use contract::Obstacle;

/// Its words are for operators; tenants are told the [`Obstacle`] alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LeftOut {
    #[error("there is no such provider")]
    Unknown,
    #[error("it is switched off")]
    Off,
    #[error("it is not in the region “{0}”")]
    OutsideRegion(String),
    #[error("it may keep what it is sent")]
    KeepsData,
    /// The provider's own reason: no key, no weights.
    #[error("{0}")]
    NotReady(String),
}

impl LeftOut {
    pub const fn obstacle(&self) -> Obstacle {
        match self {
            Self::Unknown | Self::NotReady(_) => Obstacle::NotSetUp,
            Self::Off => Obstacle::SwitchedOff,
            Self::OutsideRegion(_) => Obstacle::OutsideRegion,
            Self::KeepsData => Obstacle::KeepsData,
        }
    }
}
