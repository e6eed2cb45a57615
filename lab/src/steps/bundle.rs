//! What is kept of a scenario that failed, for whoever looks for the reason when its network is gone.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use futures::future::join_all;
use tokio::fs;

use super::watch::RECORDING;
use super::{Captures, Record, World};
use crate::fabric::Node;
use crate::plan::Plan;

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

/// What can be kept of a scenario when its machines are gone.
struct Bundle {
    record: Record,
    dir: PathBuf,
    /// Of the network, if there was one.
    plan: Option<Plan>,
    /// Whether the links were recorded only in case it fails.
    spare: bool,
}

impl World {
    /// Ends what was written down of the scenario, and takes everything down. Of one that failed, everything is kept
    /// that can be had: what each machine knows, the plan, the recording, and the command that plays it again. Of one
    /// that fails only now, what needs no machines. Returns what to tell of that, and whether all went well.
    pub(crate) async fn end(&mut self, failed: bool) -> (Option<String>, anyhow::Result<()>) {
        let Some(bundle) = self.bundle() else {
            return (None, self.leave().await);
        };
        let asked = self.ask_all(&bundle.dir, failed).await;
        let left = self.leave().await;
        bundle.close(failed, asked.and(left)).await
    }

    /// What there is before the network is taken down, if anything is written down at all.
    fn bundle(&self) -> Option<Bundle> {
        let stage = self.stage.as_ref()?;
        let record = stage.record.clone()?;
        Some(Bundle {
            dir: stage.logs.clone(),
            plan: self.lab.as_ref().map(|lab| lab.plan().clone()),
            spare: self.watch.is_some() && record.captures == Captures::Failed,
            record,
        })
    }

    /// Ends the watch and, of a scenario that failed, writes down what its machines know.
    async fn ask_all(&mut self, dir: &Path, failed: bool) -> anyhow::Result<()> {
        if let Some(watch) = self.watch.take() {
            watch.end().await.with_context(|| cannot_keep(dir))?;
        }
        let Some(lab) = self.lab.as_ref().filter(|_| failed) else {
            return Ok(());
        };
        fs::create_dir_all(dir)
            .await
            .with_context(|| cannot_keep(dir))?;
        let asked = lab.nodes().iter().map(async |node| {
            ask(node, dir).await?;
            copy_logs(node, dir).await
        });
        let asked: io::Result<Vec<()>> = join_all(asked).await.into_iter().collect();
        asked.map(drop).with_context(|| cannot_keep(dir))
    }
}

impl Bundle {
    /// Keeps it of a scenario that failed, or whose network could not be taken down; otherwise nothing.
    async fn close(
        &self,
        failed: bool,
        ended: anyhow::Result<()>,
    ) -> (Option<String>, anyhow::Result<()>) {
        if !failed && ended.is_ok() {
            let dropped = self.drop_spare().await;
            return (None, dropped.with_context(|| cannot_keep(&self.dir)));
        }
        let written = self.write().await;
        let (dir, replay) = (self.dir.display(), &self.record.replay);
        let told = format!("kept: {dir}\nagain: {replay}");
        (
            written.is_ok().then_some(told),
            ended.and_then(|()| written.with_context(|| cannot_keep(&self.dir))),
        )
    }

    async fn drop_spare(&self) -> io::Result<()> {
        if self.spare {
            fs::remove_file(self.dir.join(RECORDING)).await?;
            // Unless there is something else in it.
            let _ = fs::remove_dir(&self.dir).await;
        }
        Ok(())
    }

    async fn write(&self) -> io::Result<()> {
        fs::create_dir_all(&self.dir).await?;
        let replay = format!("#!/bin/sh\n{}\n", self.record.replay);
        fs::write(self.dir.join(REPLAY), replay).await?;
        if let Some(plan) = &self.plan {
            fs::write(self.dir.join("plan.txt"), plan.to_string()).await?;
            let json = serde_json::to_vec_pretty(plan)?;
            fs::write(self.dir.join("plan.json"), json).await?;
        }
        Ok(())
    }
}

fn cannot_keep(dir: &Path) -> String {
    let dir = dir.display();
    format!("cannot keep what belongs to the scenario in {dir}")
}

/// Copies what services and radios have written down on a machine, with its name before theirs.
async fn copy_logs(node: &Node, dir: &Path) -> io::Result<()> {
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
async fn ask(node: &Node, dir: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use anyhow::anyhow;

    use super::*;
    use crate::model::Scenario;
    use crate::report::Journal;

    /// A scenario whose links were recorded in case it fails, and the directory of its run.
    fn recorded(name: &str) -> (Bundle, PathBuf) {
        let run = std::env::temp_dir().join(format!("v6lab-{name}-{}", std::process::id()));
        let dir = run.join("moods-3");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(RECORDING), "frames").unwrap();
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let scenario = Scenario::load(&scenarios.join("how-to.toml")).unwrap();
        let record = Record {
            journal: Arc::new(Journal::create(&run).unwrap()),
            id: "moods::Bad:3".to_owned(),
            name: "Bad".to_owned(),
            captures: Captures::Failed,
            replay: "v6lab run moods.feature".to_owned(),
        };
        let bundle = Bundle {
            record,
            dir,
            plan: Some(Plan::new(&scenario)),
            spare: true,
        };
        (bundle, run)
    }

    #[tokio::test]
    async fn a_network_that_cannot_be_taken_down_leaves_evidence() {
        let (bundle, run) = recorded("evidence");
        let left = Err(anyhow!("a socket is left"));
        let (told, ended) = bundle.close(false, left).await;
        let read = |name: &str| fs::read_to_string(bundle.dir.join(name)).unwrap();
        assert_eq!(read(RECORDING), "frames");
        assert_eq!(read(REPLAY), "#!/bin/sh\nv6lab run moods.feature\n");
        assert!(read("plan.json").contains("\"how-to\""));
        assert!(!read("plan.txt").is_empty());
        assert!(told.unwrap().ends_with("again: v6lab run moods.feature"));
        assert_eq!(ended.unwrap_err().to_string(), "a socket is left");
        fs::remove_dir_all(run).unwrap();
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_scenario_that_passed() {
        let (bundle, run) = recorded("nothing");
        let (told, ended) = bundle.close(false, Ok(())).await;
        ended.unwrap();
        assert_eq!(told, None);
        assert!(!bundle.dir.exists());
        fs::remove_dir_all(run).unwrap();
    }
}
