//! What is measured of a tunnel, and in which unit.

use serde::Serialize;

/// One figure of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// One TCP stream.
    TcpMbitS,
    /// Four TCP streams each way at once, all together.
    TcpBothMbitS,
    /// UDP in datagrams of 1,200 bytes.
    UdpMbitS,
    /// UDP in datagrams of 100 bytes.
    UdpKpps,
    /// Processor time of both daemons for a GiB of the one TCP stream.
    CpuSGib,
    /// Round trip with nothing else under way.
    PingUs,
    /// Round trip during the one TCP stream.
    LoadedPingUs,
    /// Both daemons' start to the first answered ping.
    FirstPingMs,
    /// Resident memory of the left daemon after all of it.
    ResidentLeftMb,
    /// The same of the right one.
    ResidentRightMb,
    /// The most the left daemon had.
    PeakLeftMb,
    /// The same of the right one.
    PeakRightMb,
}

impl Metric {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::TcpMbitS,
        Self::TcpBothMbitS,
        Self::UdpMbitS,
        Self::UdpKpps,
        Self::CpuSGib,
        Self::PingUs,
        Self::LoadedPingUs,
        Self::FirstPingMs,
        Self::ResidentLeftMb,
        Self::ResidentRightMb,
        Self::PeakLeftMb,
        Self::PeakRightMb,
    ];

    /// What it is, with its unit.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::TcpMbitS => "One TCP stream, Mbit/s",
            Self::TcpBothMbitS => "Four TCP streams each way, Mbit/s in all",
            Self::UdpMbitS => "1,200-byte UDP, Mbit/s",
            Self::UdpKpps => "100-byte UDP, 1,000 packets/s",
            Self::CpuSGib => "Both daemons' CPU, s/GiB",
            Self::PingUs => "Idle round trip, µs",
            Self::LoadedPingUs => "Round trip during TCP, µs",
            Self::FirstPingMs => "Start to first ping, ms",
            Self::ResidentLeftMb => "Resident memory left, MB",
            Self::ResidentRightMb => "Resident memory right, MB",
            Self::PeakLeftMb => "Most memory left, MB",
            Self::PeakRightMb => "Most memory right, MB",
        }
    }

    /// The two lines above its column.
    pub(super) fn head(self) -> [&'static str; 2] {
        match self {
            Self::TcpMbitS => ["1 TCP", "Mbit/s"],
            Self::TcpBothMbitS => ["4+4 TCP", "Mbit/s"],
            Self::UdpMbitS => ["UDP 1200", "Mbit/s"],
            Self::UdpKpps => ["UDP 100", "kpps"],
            Self::CpuSGib => ["CPU", "s/GiB"],
            Self::PingUs => ["ping", "µs"],
            Self::LoadedPingUs => ["under TCP", "µs"],
            Self::FirstPingMs => ["first", "ms"],
            Self::ResidentLeftMb => ["RSS left", "MB"],
            Self::ResidentRightMb => ["right", "MB"],
            Self::PeakLeftMb => ["HWM left", "MB"],
            Self::PeakRightMb => ["right", "MB"],
        }
    }

    /// Digits worth telling behind the point.
    pub(super) fn digits(self) -> usize {
        match self {
            Self::UdpKpps
            | Self::CpuSGib
            | Self::ResidentLeftMb
            | Self::ResidentRightMb
            | Self::PeakLeftMb
            | Self::PeakRightMb => 1,
            _ => 0,
        }
    }

    /// Whether more of it is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        matches!(
            self,
            Self::TcpMbitS | Self::TcpBothMbitS | Self::UdpMbitS | Self::UdpKpps
        )
    }
}
