//! The processes that are both ends of Bluetooth links: in each Pi with kits the border router, which runs as long as
//! the lab, and in each kit its firmware, which can be switched off.

use super::files::NODE_AIR;
use super::{CommandSpec, FabricError, Lab, Node, Process, Result};
use crate::built;
use crate::model::Identifiers;
use crate::plan::{Connection, Radio, RadioEnd};

/// What is on the air, as a border router writes it down in its node.
pub(crate) const AIR_CAPTURE: &str = "/var/log/bt0.pcap";

/// Where both ends say what happens, beside a node's other logs.
const LOG: &str = "radio.log";

/// A process at the end of radio links.
#[derive(Debug)]
pub(super) struct Switched {
    node: String,
    process: Process,
}

impl Lab {
    /// Starts all that the plan has.
    pub(super) async fn start_radios(&mut self) -> Result<()> {
        let names: Vec<String> = self
            .nodes
            .iter()
            .map(|node| node.name().to_owned())
            .collect();
        for name in names {
            if radio(self.node(&name)?).is_some() {
                self.switch_on(&name).await?;
            }
        }
        Ok(())
    }

    /// Switches a kit on, or the radio of a Pi. Nothing, if it is on.
    ///
    /// # Errors
    /// When the machine has no radio, or our program cannot be found or started.
    pub async fn switch_on(&mut self, name: &str) -> Result<()> {
        if self.radios.iter().any(|switched| switched.node == name) {
            return Ok(());
        }
        let node = self.node(name)?;
        let radio = radio(node).ok_or_else(|| no_radio(node))?;
        let program = built::program("v6lab").map_err(|searched| {
            let remedy = "build it with `cargo build`";
            node.failed(("find v6lab".to_owned(), format!("{searched}; {remedy}")))
        })?;
        let program = node.install(&program, "v6lab").await?;
        let command = CommandSpec::new(program)
            .args(arguments(radio, self.plan.connection_of(radio)))
            .log_to(node.var_log().join(LOG));
        let process = node.spawn(command).await?;
        let node = name.to_owned();
        self.radios.push(Switched { node, process });
        Ok(())
    }

    /// Switches a kit off, or the radio of a Pi, as if its power were cut. Nothing, if it is off.
    ///
    /// # Errors
    /// When the machine has no radio, or its process does not end.
    pub async fn switch_off(&mut self, name: &str) -> Result<()> {
        let node = self.node(name)?;
        if radio(node).is_none() {
            return Err(no_radio(node));
        }
        let at = self
            .radios
            .iter()
            .position(|switched| switched.node == name);
        match at.map(|at| self.radios.swap_remove(at)) {
            Some(switched) => switched.process.kill().await.map(drop),
            None => Ok(()),
        }
    }
}

fn radio(node: &Node) -> Option<&Radio> {
    node.interfaces()
        .iter()
        .find_map(|interface| interface.radio.as_ref())
}

fn no_radio(node: &Node) -> FabricError {
    let reason = "it has no radio".to_owned();
    node.failed(("switch it".to_owned(), reason))
}

/// The command line of an end; a node's is told how it is connected.
fn arguments(radio: &Radio, connection: Option<&Connection>) -> Vec<String> {
    let mut words = vec!["-v".to_owned(), "radio".to_owned()];
    let pace = |connection: &Connection| format!("{},{}", connection.interval, connection.packets);
    match &radio.end {
        RadioEnd::Router {
            connections,
            contexts,
        } => {
            words.extend(["router", "--capture", AIR_CAPTURE].map(str::to_owned));
            if !contexts {
                words.push("--no-contexts".to_owned());
            }
            for connection in connections {
                words.push("--kit".to_owned());
                words.push(format!("{},{}", connection.node, pace(connection)));
            }
        }
        RadioEnd::Node { registers, .. } => {
            words.push("kit".to_owned());
            if !registers {
                words.push("--no-registration".to_owned());
            }
            words.extend(connection.map(|connection| format!("--pace={}", pace(connection))));
        }
    }
    words.push(format!("--device={}", radio.device));
    words.push(format!("--air={NODE_AIR}"));
    if radio.identifiers == Identifiers::Legacy {
        words.push("--legacy".to_owned());
    }
    words
}
