//! The questions, each with sockets of its own, so that none depends on what another has opened.

use std::net::SocketAddrV4;

use super::bench::{Bench, TEN, TEN_OTHER, TWENTY, TWENTY_OTHER};
use super::{Result, Sighting};

/// Flows of one socket by which arbitrary pooling is told from paired. One in two addresses would be the same for
/// all of them by chance every 32768 times.
const FLOWS: usize = 16;

pub(super) async fn ask(bench: &Bench<'_>) -> Result<Sighting> {
    let (inner, sources) = mapping(bench).await?;
    let (rival, contended) = contention(bench).await?;
    let (neighbour, hairpin) = hairpin(bench).await?;
    Ok(Sighting {
        inner,
        sources,
        flows: flows(bench).await?,
        admitted: filtering(bench).await?,
        leak: leak(bench).await?,
        rival,
        contended,
        early: early(bench).await?,
        neighbour,
        hairpin,
    })
}

/// One inner socket sends to every server socket: as whom is it seen?
async fn mapping(bench: &Bench<'_>) -> Result<(SocketAddrV4, [SocketAddrV4; 4])> {
    let host = bench.fresh("a").await?;
    let mut sources = [host.endpoint; 4];
    for (place, source) in sources.iter_mut().enumerate() {
        *source = bench.out(&host, bench.peer(place)).await?;
    }
    Ok((host.endpoint, sources))
}

/// Many flows of one host: has it one external address?
async fn flows(bench: &Bench<'_>) -> Result<Vec<SocketAddrV4>> {
    let mut seen = Vec::new();
    for _ in 0..FLOWS {
        let host = bench.fresh("a").await?;
        seen.push(bench.out(&host, bench.peer(TEN)).await?);
    }
    Ok(seen)
}

/// An inner socket has sent to one server socket: which of the four may send in?
async fn filtering(bench: &Bench<'_>) -> Result<[bool; 4]> {
    let host = bench.fresh("a").await?;
    let mapping = bench.out(&host, bench.peer(TEN)).await?;
    let fence = bench.fence(mapping, &host);
    let mut admitted = [false; 4];
    for place in [TEN_OTHER, TWENTY, TWENTY_OTHER, TEN] {
        let peer = bench.peer(place);
        let arrived = bench.arrives(peer, mapping, &host, &fence).await?;
        admitted[place] = arrived.is_some();
    }
    Ok(admitted)
}

/// A neighbour has sent to somebody: may that one send in to this host?
async fn leak(bench: &Bench<'_>) -> Result<bool> {
    let (host, neighbour) = (bench.fresh("a").await?, bench.fresh("b").await?);
    let mapping = bench.out(&host, bench.peer(TEN)).await?;
    bench.out(&neighbour, bench.peer(TWENTY)).await?;
    let fence = bench.fence(mapping, &host);
    let arrived = bench
        .arrives(bench.peer(TWENTY), mapping, &host, &fence)
        .await?;
    Ok(arrived.is_some())
}

/// Two hosts use the same inner port: as whom is the first seen, and the second by three peers?
async fn contention(bench: &Bench<'_>) -> Result<(SocketAddrV4, [SocketAddrV4; 3])> {
    let port = bench.unused_port();
    let (host, rival) = (
        bench.socket("b", port).await?,
        bench.socket("a", port).await?,
    );
    let rival = bench.out(&rival, bench.peer(TEN)).await?;
    let mut seen = [rival; 3];
    for (source, place) in seen.iter_mut().zip([TWENTY_OTHER, TEN, TEN_OTHER]) {
        *source = bench.out(&host, bench.peer(place)).await?;
    }
    Ok((rival, seen))
}

/// Peers' packets come before the inner host's own to them, one before there is a mapping and one after: as whom is it
/// seen by a third and by these two?
async fn early(bench: &Bench<'_>) -> Result<[SocketAddrV4; 3]> {
    let witness = bench.fresh("a").await?;
    let known = bench.out(&witness, bench.peer(TEN)).await?;
    // The port it will have where ports are preserved.
    let port = bench.unused_port();
    let expected = SocketAddrV4::new(*known.ip(), port);
    let fence = bench.fence(known, &witness);
    bench
        .arrives(bench.peer(TWENTY_OTHER), expected, &witness, &fence)
        .await?;
    let host = bench.socket("a", port).await?;
    let mapping = bench.out(&host, bench.peer(TEN)).await?;
    let fence = bench.fence(mapping, &host);
    bench
        .arrives(bench.peer(TWENTY), mapping, &host, &fence)
        .await?;
    Ok([
        mapping,
        bench.out(&host, bench.peer(TWENTY_OTHER)).await?,
        bench.out(&host, bench.peer(TWENTY)).await?,
    ])
}

/// A host sends to a neighbour's external address: as whom is it seen outside, and by that neighbour?
async fn hairpin(bench: &Bench<'_>) -> Result<(SeenOutside, Option<SocketAddrV4>)> {
    let (host, neighbour) = (bench.fresh("a").await?, bench.fresh("b").await?);
    let outside = bench.out(&host, bench.peer(TEN)).await?;
    let theirs = bench.out(&neighbour, bench.peer(TEN)).await?;
    let fence = bench.fence(theirs, &neighbour);
    let arrived = bench.arrives(&host, theirs, &neighbour, &fence).await?;
    Ok(((host.endpoint, outside), arrived))
}

/// A host's own endpoint and its external one.
pub(super) type SeenOutside = (SocketAddrV4, SocketAddrV4);
