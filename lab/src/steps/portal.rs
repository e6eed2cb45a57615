//! Captive portals, as their guests know them.

use std::time::Instant;

use cucumber::{given, when};

use super::{Outcome, World};
use crate::places;

/// By the way that a browser is led: a name that is looked up, a redirection, a form.
#[given(expr = "{word} has logged in at the portal of {word}")]
#[when(expr = "{word} logs in at the portal of {word}")]
async fn logs_in(world: &mut World, device: String, venue: String) -> Outcome {
    places::log_in(world.lab()?, &device, &venue).await?;
    world.since = Some((Instant::now(), ", counted from the login"));
    Ok(())
}

/// All of them, as when the time they paid for is over.
#[when(expr = "the portal of {word} forgets its guests")]
async fn forgets(world: &mut World, venue: String) -> Outcome {
    Ok(places::forget_guests(world.lab()?, &venue).await?)
}
