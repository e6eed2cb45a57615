//! The way packets take.

use cucumber::then;

use super::{Outcome, World, fail};
use crate::observe::{self, Hop};

/// The machines named, separated by `, then `, must follow one another directly.
#[then(regex = r"^the way from (\w+) to (\w+) leads through (.+)$")]
async fn leads_through(world: &mut World, from: String, to: String, through: String) -> Outcome {
    let hops = observe::trace(world.node(&from)?, world.address(&to)?).await?;
    let way: Vec<String> = hops.iter().map(|hop| name(world, hop)).collect();
    let wanted: Vec<&str> = through.split(", then ").collect();
    if !way.windows(wanted.len()).any(|part| part == wanted) {
        fail!("it leads through {}", way.join(", then "));
    }
    Ok(())
}

fn name(world: &World, hop: &Hop) -> String {
    match hop {
        Hop::Router(address) | Hop::Target(address) => world.name_of(*address),
        Hop::Stopped(address, problem) => format!("{} ({problem})", world.name_of(*address)),
        Hop::Silent => "somebody silent".to_owned(),
    }
}
