//! v6lab: networks of servers, venues, Pis and clients out of Linux namespaces, in which daemons are tried before
//! anybody travels.
//!
//! The parts, each knowing only those before it: [`conditioner`] is what a line does to packets, [`radio`] both ends of a
//! Bluetooth link, [`model`] is a scenario
//! as written, [`plan`] the same with every name, address and route decided, [`nat`] the rulesets of the venues' routers,
//! [`session`] the walls around a run, [`fabric`] the network itself, [`places`] the rules of venues, [`probe`] what a
//! venue does to UDP, [`observe`] what can be seen there, [`actors`] the daemons, [`steps`] the features' words,
//! [`report`] what is told, and [`run`] all of it together. [`mod@bench`] measures, by what stands before [`steps`].

pub mod actors;
pub mod bench;
mod built;
pub mod conditioner;
pub mod fabric;
pub mod model;
pub mod nat;
pub mod net;
pub mod observe;
pub mod places;
pub mod plan;
pub mod probe;
pub mod radio;
pub mod report;
pub mod run;
mod say;
pub mod session;
pub mod steps;
