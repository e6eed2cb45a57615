//! How a machine's daemon wants packets to it sealed.

use cucumber::given;

use super::network::rewrite;
use super::{Outcome, World};

/// The lines are separated by `, ` and go in front of the machine's own host file.
#[given(expr = "{word} wants its packets by {string}")]
async fn wants(world: &mut World, node: String, lines: String) -> Outcome {
    rewrite(world.node(&node)?, &format!("hosts/{node}"), |text| {
        format!("{}\n{text}", lines.replace(", ", "\n"))
    })
    .await
}
