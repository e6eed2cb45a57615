//! Captive portals, as their guests know them.

use cucumber::when;

use super::{Outcome, World};
use crate::places;

/// By the way that a browser is led: a name that is looked up, a redirection, a form.
#[when(expr = "{word} logs in at the portal of {word}")]
async fn logs_in(world: &mut World, device: String, venue: String) -> Outcome {
    Ok(places::log_in(world.lab()?, &device, &venue).await?)
}
