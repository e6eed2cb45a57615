//! `v6lab radio`: one end of Bluetooth links. Labs start it in their machines.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use sixlowpan::iid::{DeviceAddress, IidMode};
use tokio::task::LocalSet;
use v6lab::radio::{self, KitSettings, Pace, RouterSettings, Settings};

/// A connection interval that many ask for, and what is sent in each.
const PACE: &str = "30,4";

#[derive(Subcommand)]
pub(super) enum Radio {
    /// The border router: looks for its kits and connects to them
    Router {
        #[command(flatten)]
        own: Own,
        /// A kit to connect to, the connection interval in milliseconds and the packets sent in each
        #[arg(long = "kit", value_name = "DEVICE,MS,PACKETS", value_parser = kit)]
        kits: Vec<(DeviceAddress, Pace)>,
        /// Tell no contexts for compression, as Linux does not
        #[arg(long)]
        no_contexts: bool,
        /// Write down what is on the air, for Wireshark
        #[arg(long, value_name = "FILE")]
        capture: Option<PathBuf>,
    },
    /// A kit: waits for its router, and offers an echo and a coffee machine
    Kit {
        #[command(flatten)]
        own: Own,
        /// The connection interval in milliseconds and the packets sent in each
        #[arg(long, value_name = "MS,PACKETS", value_parser = pace, default_value = PACE)]
        pace: Pace,
        /// Register no addresses (RFC 6775), as Linux does not
        #[arg(long)]
        no_registration: bool,
    },
}

/// What both ends are told.
#[derive(Args)]
pub(super) struct Own {
    /// Our device address
    #[arg(long, value_parser = radio::device)]
    device: DeviceAddress,
    /// The directory in which devices find each other
    #[arg(long, value_name = "DIR")]
    air: PathBuf,
    /// Make interface identifiers as Linux did before 4.12
    #[arg(long)]
    legacy: bool,
}

impl Radio {
    pub(super) fn main(self) -> Result<i32> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, async {
            match self {
                Self::Router {
                    own,
                    kits,
                    no_contexts,
                    capture,
                } => {
                    let router = RouterSettings {
                        kits,
                        contexts: !no_contexts,
                        capture,
                    };
                    radio::router(&own.settings(), router).await
                }
                Self::Kit {
                    own,
                    pace,
                    no_registration,
                } => {
                    let registers = !no_registration;
                    radio::kit(&own.settings(), KitSettings { pace, registers }).await
                }
            }
        })?;
        Ok(0)
    }
}

impl Own {
    fn settings(self) -> Settings {
        Settings {
            device: self.device,
            mode: if self.legacy {
                IidMode::Legacy
            } else {
                IidMode::Rfc7668
            },
            air: self.air,
        }
    }
}

fn kit(word: &str) -> Result<(DeviceAddress, Pace), String> {
    let wanted = "a device address, a connection interval in milliseconds and the packets in each are wanted, e.g. \
                  c0:00:00:00:00:01,30,4";
    let (device, rest) = word.split_once(',').ok_or(wanted)?;
    Ok((radio::device(device)?, pace(rest)?))
}

fn pace(word: &str) -> Result<Pace, String> {
    let wanted =
        "a connection interval in milliseconds and the packets in each are wanted, e.g. 30,4";
    let (interval, packets) = word.split_once(',').ok_or(wanted)?;
    let interval: u16 = interval.parse().map_err(|_| wanted)?;
    let packets = packets.parse().map_err(|_| wanted)?;
    if interval == 0 || packets == 0 {
        return Err("nothing is sent that way".to_owned());
    }
    Ok(Pace {
        interval: Duration::from_millis(interval.into()),
        packets,
    })
}
