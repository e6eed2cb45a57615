//! HUP: what changed in the files since we last looked.

use std::collections::BTreeSet;
use std::time::SystemTime;

use tracing::{error, warn};
use v6router_core::name::NodeName;
use v6router_core::node::{Input, Order};

use super::daemon::Daemon;
use crate::cli::unreadable;
use crate::config::{ConfigSet, Reader, connect_to, describe};

impl Daemon {
    /// Opens the log file again, reads `ConnectTo` again and ends the connections of nodes whose
    /// host file changed or vanished.
    ///
    /// tincd ends when `tinc.conf` cannot be read. We keep what is in force: a typing error must
    /// not cut off the only way to correct it.
    pub(super) fn reload(&mut self) {
        if let Err(error) = self.log.reopen() {
            error!("Cannot open the log file again: {}", describe(&error));
        }
        let invocation = &self.setup.invocation;
        let set = match ConfigSet::server(&invocation.layout, &invocation.overrides) {
            Ok(set) => set,
            Err(error) => {
                for line in unreadable(&invocation.layout, &error) {
                    error!("{line}");
                }
                error!("The configuration in force stays as it is");
                return;
            }
        };
        let mut reader = Reader::new(&set);
        let connect_to = connect_to(&self.setup.config.name, &mut reader);
        for complaint in reader.into_complaints() {
            warn!("{complaint}");
        }
        let drop = self.changed_hosts();
        self.read_at = SystemTime::now();
        // Whatever was doubtful may have been corrected.
        self.dialling.doubtful.clear();
        self.feed(Input::Order(Order::Reload { connect_to, drop }));
    }

    /// Connected nodes whose host file is gone or newer than our last look.
    fn changed_hosts(&self) -> Vec<NodeName> {
        let connected: BTreeSet<&NodeName> = self
            .streams
            .values()
            .filter_map(|stream| stream.node.as_ref())
            .collect();
        connected
            .into_iter()
            .filter(|name| {
                let path = self.setup.invocation.layout.host(name);
                let modified = std::fs::metadata(path).and_then(|meta| meta.modified());
                !modified.is_ok_and(|modified| modified <= self.read_at)
            })
            .cloned()
            .collect()
    }
}
