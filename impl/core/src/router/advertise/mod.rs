//! Router advertisements: what they say, when they are sent, and to whom (RFC 4861 section 6.2).

mod content;
mod schedule;
mod settings;

pub use schedule::{Input, Link, Schedule, Send};
pub use settings::{AdvertiseError, AdvertiseSettings};

use std::time::Duration;

/// Advertisements that follow each other quickly when an interface begins to advertise, or has
/// other things to say (RFC 4861 section 10, `MAX_INITIAL_RTR_ADVERTISEMENTS`).
pub const MAX_INITIAL_ADVERTISEMENTS: u8 = 3;
/// The longest pause between those (RFC 4861 section 10, `MAX_INITIAL_RTR_ADVERT_INTERVAL`).
pub const MAX_INITIAL_INTERVAL: Duration = Duration::from_secs(16);
/// The shortest pause between two advertisements to everybody (RFC 4861 section 10,
/// `MIN_DELAY_BETWEEN_RAS`).
pub const MIN_DELAY_BETWEEN: Duration = Duration::from_secs(3);
/// How long an answer to everybody may wait, so that routers do not answer all at once
/// (RFC 4861 section 10, `MAX_RA_DELAY_TIME`).
pub const MAX_ANSWER_DELAY: Duration = Duration::from_millis(500);
/// How long an answer to the host that asked may wait; ours. RFC 4861 has the same half a second, but what one host is
/// told disturbs no other, and the host begins to check its address only then.
pub const MAX_LONE_ANSWER_DELAY: Duration = Duration::from_millis(20);
/// What hosts of an Ethernet are told to wait for an answer to a neighbour solicitation (RFC 4861 section 4.2, Retrans
/// Timer); ours. They wait as long after the one that asks whether an address is somebody's (RFC 4862 section 5.4),
/// a whole second unless told: with this, and the second at most by which they put that question off, a new host has
/// its address within two.
pub const HOST_RETRANSMIT: Duration = Duration::from_millis(500);
/// Shortest and longest interval between two unsolicited advertisements that may be asked for
/// (RFC 4861 section 6.2.1, `MaxRtrAdvInterval`).
pub const INTERVALS: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(1800)];
/// That interval unless somebody asks for another (RFC 4861 section 6.2.1).
pub const INTERVAL: Duration = Duration::from_secs(600);
/// Longest time for which a router says it is a default router (RFC 4861 section 6.2.1,
/// `AdvDefaultLifetime`).
pub const MAX_ROUTER_LIFETIME: Duration = Duration::from_secs(9000);
/// Hop limit that hosts are told to send with (IANA, IP parameters: 64).
pub const HOST_HOP_LIMIT: u8 = 64;
/// How long addresses are preferred: what is advertised after a restart may be another prefix, and
/// the old one must not linger for the week of RFC 4861 (RFC 9096, `ND_PREFERRED_LIMIT`).
pub const PREFERRED: Duration = Duration::from_secs(2700);
/// How long addresses are valid (RFC 9096, `ND_VALID_LIMIT`).
pub const VALID: Duration = Duration::from_secs(5400);
/// Hosts do not believe that an address ends sooner (RFC 4862 section 5.5.3).
pub const HOSTS_KEEP_VALID: Duration = Duration::from_secs(7200);
/// Every link of IPv6 carries packets of this many bytes (RFC 8200 section 5).
pub const MIN_MTU: u32 = 1280;

/// How long a tunnel may be down before hosts are told not to use it; ours. A Pi that is carried
/// to another venue, or a server that is started again, needs less.
pub const TUNNEL_PATIENCE: Duration = Duration::from_secs(180);
/// Answers to single hosts that may be sent at once, and how long it takes to earn one more; ours.
/// A classroom that wakes up is served, a flood costs next to nothing.
pub const ANSWERS: (u32, Duration) = (50, Duration::from_millis(20));
/// Prefixes of one link; ours.
pub const MAX_PREFIXES: usize = 16;
/// Prefixes that a link had before, and that are still withdrawn; ours.
pub const MAX_RETIRED: usize = 7;
/// Resolvers; ours. Hosts use three (RFC 8106 section 5.3.1).
pub const MAX_RESOLVERS: usize = 8;
/// Resolvers that hosts were told before, and that are still withdrawn; ours.
pub const MAX_RETIRED_RESOLVERS: usize = 3;
/// Bytes of all names in a search list; ours, and what resolvers take.
pub const MAX_SEARCH: usize = 256;

/// The longest advertisement there can be fits any link: it must not be fragmented (RFC 6980).
const _: () = {
    let fixed = 40 + 16 + 8 + 8;
    let prefixes = 32 * (MAX_PREFIXES + MAX_RETIRED);
    let resolvers = 8 + 16 * MAX_RESOLVERS + 8 + 16 * MAX_RETIRED_RESOLVERS;
    let longest = fixed + prefixes + resolvers + 8 + MAX_SEARCH;
    assert!(longest <= MIN_MTU as usize);
};
