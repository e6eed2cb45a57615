//! `bt0`: a TUN device with the addresses that the radio gives it. It is there as long as it is held.

use std::fs;
use std::net::Ipv6Addr;
use std::time::Duration;

use netlink_packet_route::address::{AddressAttribute, AddressFlags, CacheInfo};
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use sixlowpan::MTU;
use tun_rs::{AsyncDevice, DeviceBuilder, Layer};

use super::{INTERFACE, RadioError, Result};

/// Length of the prefix of a link.
const PREFIX: u8 = 64;

/// The kernel makes no address of its own (`IN6_ADDR_GEN_MODE_NONE`).
const NO_ADDRESSES: &str = "1";

/// What it is called until it is as it should be: a router that waits for it would bring it up earlier, and the kernel
/// would make it an address.
const UNFINISHED: &str = "bt0-unfinished";

/// The interface.
pub(super) struct Interface {
    device: AsyncDevice,
    index: u32,
    handle: Handle,
}

impl Interface {
    /// Makes it, with a link-local address, and brings it up. `settings` are those of `net/ipv6/conf` beside what a radio
    /// needs.
    pub(super) async fn open(link_local: Ipv6Addr, settings: &[(&str, &str)]) -> Result<Self> {
        let device = DeviceBuilder::new()
            .name(UNFINISHED)
            .layer(Layer::L3)
            .mtu(u16::try_from(MTU).unwrap_or(u16::MAX))
            .inherit_enable_state()
            .build_async();
        let device = device.map_err(|error| failed("make the interface", &error))?;
        let index = device
            .if_index()
            .map_err(|error| failed("find the interface", &error))?;
        for (name, value) in settings.iter().chain(&[("addr_gen_mode", NO_ADDRESSES)]) {
            let path = format!("/proc/sys/net/ipv6/conf/{UNFINISHED}/{name}");
            fs::write(&path, value).map_err(|error| failed(&format!("write {path}"), &error))?;
        }
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| failed("open a netlink socket", &error))?;
        tokio::spawn(connection);
        let opened = Self {
            device,
            index,
            handle,
        };
        opened.add(link_local, None).await?;
        let up = LinkUnspec::new_with_index(index)
            .name(INTERFACE.to_owned())
            .up()
            .build();
        let done = opened.handle.link().set(up).execute().await;
        done.map_err(|error| failed("bring the interface up", &error))?;
        Ok(opened)
    }

    /// The next packet that the kernel sends.
    pub(super) async fn receive(&self) -> Result<Vec<u8>> {
        // The kernel's own limit; it fragments what is longer.
        let mut packet = vec![0; MTU];
        let len = self.device.recv(&mut packet).await;
        let len = len.map_err(|error| failed("read from the interface", &error))?;
        packet.truncate(len);
        Ok(packet)
    }

    /// Hands the kernel a packet. One that it does not take is lost, as on any link.
    pub(super) async fn send(&self, packet: &[u8]) {
        if let Err(error) = self.device.send(packet).await {
            tracing::debug!(%error, "the kernel did not take a packet");
        }
    }

    /// Gives it an address, or an address that it has other lifetimes: valid, and preferred. One without is for ever, and
    /// what has its prefix is on the link.
    pub(super) async fn add(
        &self,
        address: Ipv6Addr,
        lifetimes: Option<[Duration; 2]>,
    ) -> Result<()> {
        let request = self
            .handle
            .address()
            .add(self.index, address.into(), PREFIX);
        let mut request = request.replace();
        let attributes = &mut request.message_mut().attributes;
        // Nobody else on the link could hear that it is asked for.
        let mut flags = AddressFlags::Nodad;
        if let Some(lifetimes) = lifetimes {
            // Nor is its prefix on the link (RFC 7668 section 3.2.2).
            flags |= AddressFlags::Noprefixroute;
            let [valid, preferred] =
                lifetimes.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
            let mut info = CacheInfo::default();
            info.ifa_valid = valid;
            info.ifa_preferred = preferred;
            attributes.push(AddressAttribute::CacheInfo(info));
        }
        attributes.push(AddressAttribute::Flags(flags));
        let done = request.execute().await;
        done.map_err(|error| failed(&format!("give the interface {address}"), &error))
    }

    /// Sends everything else to a router.
    pub(super) async fn default_route(&self, router: Ipv6Addr) -> Result<()> {
        let route = RouteMessageBuilder::<Ipv6Addr>::new()
            .output_interface(self.index)
            .gateway(router)
            .build();
        let done = self.handle.route().add(route).replace().execute().await;
        done.map_err(|error| failed(&format!("route everything by {router}"), &error))
    }
}

fn failed(what: &str, error: &dyn std::error::Error) -> RadioError {
    RadioError::Interface {
        what: what.to_owned(),
        reason: error.to_string(),
    }
}
