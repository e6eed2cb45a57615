//! Measurements side by side: tunnels of several daemons in one interleaved session, stars of many nodes, and the lab
//! itself.
//!
//! ```text
//!  subject ──> tunnel         a lab with two daemons      ┐
//!              round          what is measured of it      ├──> tunnels ──> table, svg, JSON
//!              iperf, search  how                         ┘
//!  subject ──> star, pool     a server and many leaves    ───> stars   ──> table, JSON
//!              labs           labs that come and go       ───> table, JSON
//! ```
//!
//! Knows nothing of what a result has to be: it asserts no speed.

mod iperf;
mod labs;
mod machine;
mod metric;
mod pool;
mod round;
mod search;
mod spread;
mod star;
mod stars;
mod subject;
mod svg;
mod table;
mod tunnel;
mod tunnels;

pub use labs::{LabReport, Labs, kilobytes};
pub use machine::Machine;
pub use metric::Metric;
pub use spread::Spread;
pub use stars::{ScaleReport, Stars};
pub use subject::{Catalogue, Subject, SubjectError};
pub use svg::svg;
pub use tunnels::{TunnelReport, Tunnels};
