//! The kernel's neighbour entries on our device.

use std::collections::HashSet;

use futures::TryStreamExt as _;
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use tracing::debug;
use v6router_core::subnet::Mac;

/// Drops the entries that lead to MAC addresses which left the VPN.
///
/// A node that is started again may have other MAC addresses (a real tincd has a new one each
/// time), and an entry that was confirmed lately is trusted for up to 45 seconds before the
/// kernel even doubts it (RFC 4861 section 6.3.2, `REACHABLE_TIME`). Entries that somebody made
/// on purpose stay. Nothing depends on this but the time it saves, so failure is only noted.
pub(crate) async fn forget(interface: String, macs: HashSet<Mac>) {
    if let Err(error) = try_forget(&interface, &macs).await {
        debug!("neighbour entries on {interface} could not be dropped: {error}");
    }
}

async fn try_forget(interface: &str, macs: &HashSet<Mac>) -> anyhow::Result<()> {
    let index = if_nametoindex(interface)?;
    let (connection, handle, _) = rtnetlink::new_connection()?;
    // Ends with the handle.
    tokio::spawn(connection);
    let mut entries = handle.neighbours().get().execute();
    let mut gone = Vec::new();
    while let Some(entry) = entries.try_next().await? {
        if entry.header.ifindex == index && learned(&entry) && leads_to(&entry, macs) {
            gone.push(entry);
        }
    }
    for entry in gone {
        // The kernel may have dropped it meanwhile.
        let _ = handle.neighbours().del(entry).execute().await;
    }
    Ok(())
}

fn learned(entry: &NeighbourMessage) -> bool {
    !matches!(
        entry.header.state,
        NeighbourState::Permanent | NeighbourState::Noarp
    )
}

fn leads_to(entry: &NeighbourMessage, macs: &HashSet<Mac>) -> bool {
    entry.attributes.iter().any(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(address) => {
            let address = <[u8; 6]>::try_from(address.as_slice());
            address.is_ok_and(|address| macs.contains(&Mac(address)))
        }
        _ => false,
    })
}
