//! What is kept of a scenario that failed, for whoever looks for the reason when its network is gone.

use std::path::Path;

use anyhow::Context;
use futures::future::join_all;
use tokio::fs;

use super::watch::RECORDING;
use super::{Captures, World};
use crate::fabric::Node;

/// What is asked of each machine.
const ASKED: [&[&str]; 7] = [
    &["ip", "address"],
    &["ip", "-4", "route", "show", "table", "all"],
    &["ip", "-6", "route", "show", "table", "all"],
    &["ip", "-s", "neighbour"],
    &["ss", "--all", "--numeric", "--tcp", "--udp", "--processes"],
    &["nft", "list", "ruleset"],
    &["cat", "/proc/net/nf_conntrack"],
];

/// Name of the file that says how to play the scenario again.
const REPLAY: &str = "replay.sh";

impl World {
    /// Ends what was written down of the scenario. Of one that failed, everything is kept that can be had: what each
    /// machine knows, the plan, the recording, and the command that plays it again. Returns what to tell of that.
    ///
    /// # Errors
    /// When something could not be kept.
    pub(crate) async fn keep(&mut self, failed: bool) -> anyhow::Result<Option<String>> {
        let Some(record) = self.stage()?.record.clone() else {
            return Ok(None);
        };
        let dir = self.stage()?.logs.clone();
        let cannot = || {
            format!(
                "cannot keep what belongs to the scenario in {}",
                dir.display()
            )
        };
        if let Some(watch) = self.watch.take() {
            watch.end().await.with_context(cannot)?;
            if record.captures == Captures::Failed && !failed {
                fs::remove_file(dir.join(RECORDING))
                    .await
                    .with_context(cannot)?;
                // Unless there is something else in it.
                let _ = fs::remove_dir(&dir).await;
            }
        }
        if !failed {
            return Ok(None);
        }
        fs::create_dir_all(&dir).await.with_context(cannot)?;
        let replay = format!("#!/bin/sh\n{}\n", record.replay);
        fs::write(dir.join(REPLAY), replay)
            .await
            .with_context(cannot)?;
        if let Some(lab) = &self.lab {
            let plan = lab.plan();
            fs::write(dir.join("plan.txt"), plan.to_string())
                .await
                .with_context(cannot)?;
            let json = serde_json::to_vec_pretty(plan)?;
            fs::write(dir.join("plan.json"), json)
                .await
                .with_context(cannot)?;
            let asked = lab.nodes().iter().map(async |node| {
                ask(node, &dir).await?;
                copy_logs(node, &dir).await
            });
            let asked: Result<Vec<()>, _> = join_all(asked).await.into_iter().collect();
            asked.with_context(cannot)?;
        }
        Ok(Some(format!(
            "kept: {}\nagain: {}",
            dir.display(),
            record.replay
        )))
    }
}

/// Copies what services and radios have written down on a machine, with its name before theirs.
async fn copy_logs(node: &Node, dir: &Path) -> std::io::Result<()> {
    let mut entries = fs::read_dir(node.var_log()).await?;
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_type().await?.is_file() {
            let name = entry.file_name();
            let copy = format!("{}-{}", node.name(), name.to_string_lossy());
            fs::copy(entry.path(), dir.join(copy)).await?;
        }
    }
    Ok(())
}

/// Writes down what a machine's kernel knows.
async fn ask(node: &Node, dir: &Path) -> std::io::Result<()> {
    let mut text = String::new();
    for command in ASKED {
        text.push_str(&format!("# {}\n", command.join(" ")));
        match node.exec(command).await {
            Ok(output) => {
                text.push_str(&String::from_utf8_lossy(&output.stdout));
                text.push_str(&String::from_utf8_lossy(&output.stderr));
            }
            // A machine that cannot be asked is no reason to say nothing of the others.
            Err(error) => text.push_str(&format!("{error}\n")),
        }
        text.push('\n');
    }
    fs::write(dir.join(format!("{}.txt", node.name())), text).await
}
