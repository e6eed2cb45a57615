//! New networks and new sites: directories that `check` has nothing to complain about.

mod init;
mod site;

pub(crate) use init::{Advertise, Init, Role};
pub(crate) use site::{Added, add};

use crate::config::router::RouterError;

/// What is wrong with a router.toml that was about to be written, without the file's name.
fn wrong(errors: &[RouterError]) -> anyhow::Error {
    let reasons: Vec<&str> = errors.iter().map(|error| error.reason.as_str()).collect();
    anyhow::anyhow!("nothing was written: {}", reasons.join("; "))
}
