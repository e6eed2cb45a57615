//! Devices that reach a Pi by Bluetooth Low Energy. `[[kit]]`.

use serde::{Deserialize, Serialize};
use sixlowpan::iid::{DeviceAddress, IidMode};
use toml::Spanned;

use super::{ModelError, Scenario};
use crate::radio::device;

/// The connection interval where a scenario does not say, in milliseconds: a common one.
const INTERVAL: u16 = 30;

/// Shortest and longest connection interval in whole milliseconds (Bluetooth Core specification, volume 6, part B,
/// section 4.5.1: 7.5 ms to 4 s).
const INTERVALS: [u16; 2] = [8, 4000];

/// Packets of the link layer in one direction and interval where a scenario does not say.
const PACKETS: u8 = 4;

/// The most that devices of the time of the nRF51 send.
const MOST_PACKETS: u8 = 6;

/// A device that reaches a Pi by Bluetooth Low Energy, and IPv6 through it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kit {
    /// Its name.
    pub name: Spanned<String>,
    /// The Pi it is connected to.
    pub behind: Spanned<String>,
    /// Its Bluetooth device address; otherwise one is made up.
    device: Option<Spanned<String>>,
    /// How interface identifiers are made of device addresses by its firmware.
    #[serde(default)]
    pub identifiers: Identifiers,
    /// Whether its firmware registers addresses (RFC 6775), which that of 2015 did not.
    registers: Option<bool>,
    /// The connection interval, ms.
    interval: Option<Spanned<u16>>,
    /// Packets of the link layer, of at most 27 octets, in one direction and interval.
    packets: Option<Spanned<u8>>,
}

/// How interface identifiers are made of device addresses; both ends have to do it alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identifiers {
    /// As RFC 7668 says, like Linux from 4.12 on.
    #[default]
    Rfc7668,
    /// With the universal/local bit, like Linux before that and firmware of 2015.
    Legacy,
}

impl From<Identifiers> for IidMode {
    fn from(identifiers: Identifiers) -> Self {
        match identifiers {
            Identifiers::Rfc7668 => Self::Rfc7668,
            Identifiers::Legacy => Self::Legacy,
        }
    }
}

impl Kit {
    /// Its device address, if the scenario has one for it.
    pub(crate) fn device(&self) -> Option<DeviceAddress> {
        device(self.device.as_ref()?.get_ref()).ok()
    }

    /// Whether its firmware registers addresses.
    pub(crate) fn registers(&self) -> bool {
        self.registers.unwrap_or(true)
    }

    /// The connection interval, ms.
    pub(crate) fn interval(&self) -> u16 {
        self.interval.as_ref().map_or(INTERVAL, |it| *it.get_ref())
    }

    /// Packets of the link layer in one direction and interval.
    pub(crate) fn packets(&self) -> u8 {
        self.packets.as_ref().map_or(PACKETS, |it| *it.get_ref())
    }

    /// What can be seen to be wrong with it alone.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<(), ModelError> {
        if let Some(written) = &self.device {
            device(written.get_ref()).map_err(|reason| scenario.error_at(written, reason))?;
        }
        let [least, most] = INTERVALS;
        if let Some(interval) = &self.interval
            && !(least..=most).contains(interval.get_ref())
        {
            let interval_ms = interval.get_ref();
            let reason =
                format!("interval = {interval_ms}: it is from {least} to {most} milliseconds");
            return Err(scenario.error_at(interval, reason));
        }
        if let Some(packets) = &self.packets
            && !(1..=MOST_PACKETS).contains(packets.get_ref())
        {
            let n = packets.get_ref();
            let reason = format!("packets = {n}: from 1 to {MOST_PACKETS} are sent in an interval");
            return Err(scenario.error_at(packets, reason));
        }
        Ok(())
    }
}
