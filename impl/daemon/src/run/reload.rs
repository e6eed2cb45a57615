//! HUP: what changed in the files since we last looked.

use std::collections::BTreeSet;

use anyhow::anyhow;
use tracing::{error, info, warn};
use v6router_core::name::NodeName;
use v6router_core::node::{Input, Order};

use super::daemon::Daemon;
use crate::cli::unreadable;
use crate::config::{ConfigSet, ServerConfig, Version, describe};

impl Daemon {
    /// Opens the log file again, reads the whole configuration again, puts in force what may
    /// change at run time, and ends the connections of nodes whose host file changed or vanished.
    ///
    /// tincd ends when `tinc.conf` cannot be read. We keep what is in force: a typing error must
    /// not cut off the only way to correct it.
    pub(super) fn reload(&mut self) {
        if let Err(error) = self.log.reopen() {
            error!("Cannot open the log file again: {}", describe(&error));
        }
        self.manager.reloading();
        match self.read_again() {
            Ok(config) => self.put_in_force(config),
            Err(lines) => {
                for line in lines {
                    error!("{line}");
                }
                error!("The configuration in force stays as it is");
            }
        }
        self.manager.ready();
    }

    /// The configuration as it is in the files now, if a daemon could start with it and would
    /// know all owners: a mistake in a host file must not take subnets from the mesh.
    fn read_again(&self) -> Result<ServerConfig, Vec<String>> {
        let invocation = &self.setup.invocation;
        let (layout, overrides) = (&invocation.layout, &invocation.overrides);
        let set = ConfigSet::server(layout, overrides).map_err(|e| unreadable(layout, &e))?;
        let config = ServerConfig::read(set, layout, overrides)
            .map_err(|error| vec![format!("{:#}", anyhow!(error))])?;
        match config.doubtful_owners() {
            doubts if doubts.is_empty() => Ok(config),
            doubts => Err(doubts),
        }
    }

    fn put_in_force(&mut self, mut config: ServerConfig) {
        for complaint in std::mem::take(&mut config.complaints) {
            warn!("{complaint}");
        }
        let need_restart = self.setup.config.adopt(config);
        if !need_restart.is_empty() {
            warn!(
                "Changed, but in force only after a restart: {}",
                need_restart.join(", ")
            );
        }
        let config = &self.setup.config;
        let connect_to = config.connect_to.clone();
        let pmtu = config.numbers.pmtu;
        let owners = config.trust.is_strict().then(|| config.owners.clone());
        let interpreter = config.scripts_interpreter.clone();
        if let (Some(routing), Some(router)) = (&self.routing, &config.router) {
            routing.reload(router.clone());
        }
        self.dialling.setup.interface = config.listen.interface.clone();
        self.guard_border();
        // Whatever was doubtful may have been corrected.
        self.dialling.doubtful.clear();
        self.dial_anew();
        self.runner.interpret_with(interpreter);
        self.pictures.changed();
        let drop = self.changed_hosts();
        info!("The configuration was read again");
        self.feed(Input::Order(Order::BoundPmtu(pmtu)));
        if let Some(owners) = owners {
            self.feed(Input::Order(Order::SetOwners(owners)));
        }
        self.feed(Input::Order(Order::Reload { connect_to, drop }));
    }

    /// Connected nodes whose host file is gone or was written since it was read for the
    /// connection.
    fn changed_hosts(&self) -> Vec<NodeName> {
        let changed: BTreeSet<&NodeName> = self
            .streams
            .values()
            .filter_map(|stream| {
                let (name, seen) = (stream.node.as_ref()?, stream.host?);
                let path = self.setup.invocation.layout.host(name);
                (Version::of(&path) != Some(seen)).then_some(name)
            })
            .collect();
        changed.into_iter().cloned().collect()
    }
}
