//! The real binary, as scripts and people run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod cluster;
mod commands;
mod doctor;
mod entrance;
mod lifecycle;
mod management;
mod nodes;
mod outages;
mod postgres;
mod sdks;
mod serving;
mod skilled;
mod support;
mod upstreams;
