//! Whom the kernel has found behind us, told to the border while that drops packets to strangers: a
//! host that is sent to and never answers through the tunnel is none for long.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use crate::io::datapath::Shared;
use crate::kernel;

/// How often is looked whether any were dropped.
const GLANCE: Duration = Duration::from_secs(1);

/// Ends when the packet path does.
pub(super) async fn watch(path: Weak<Shared>) {
    let mut seen = 0;
    let mut glance = interval(GLANCE);
    glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        glance.tick().await;
        let border = match path.upgrade() {
            Some(path) => path.border(),
            None => return,
        };
        let Some(border) = border else {
            continue;
        };
        let dropped = border.counts().strangers.load(Ordering::Relaxed);
        if std::mem::replace(&mut seen, dropped) == dropped {
            continue;
        }
        match kernel::neighbours().await {
            Ok(found) => found.into_iter().for_each(|one| border.is_neighbour(one)),
            Err(error) => debug!("The kernel does not tell its neighbours: {error}"),
        }
    }
}
