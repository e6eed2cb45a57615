//! v6lab: networks of servers, venues, Pis and clients out of Linux namespaces, in which daemons are tried before
//! anybody travels.
//!
//! The parts, each knowing only those before it: [`model`] is a scenario as written, [`plan`] the same with every name,
//! address and route decided, [`nat`] the rulesets of the venues' routers, [`session`] the walls around a run,
//! [`fabric`] the network itself.

pub mod fabric;
pub mod model;
pub mod nat;
pub mod net;
pub mod plan;
pub mod session;
