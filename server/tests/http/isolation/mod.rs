//! The isolation suite: nobody reaches what is another tenant's, another member's, or above their role.
//!
//! `routes.rs` asks the router itself what it answers; `seam::isolation` says of each who may and how it is
//! called, and a route that is missing there fails; `world.rs` plants two tenants in which every text and every id is a marker.
//! `refusals.rs` walks the table as everybody who may not; `canaries.rs` reads everything that may be read and looks
//! for markers of others. What is refused must also change nothing, and must look like what never was.

mod canaries;
mod refusals;
mod routes;
mod world;
