//! `GraphDumpFile`: the mesh as a drawing for graphviz, to a file or a command.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tracing::error;

use crate::config::describe;
use crate::store::Draft;

/// From one drawing to the next (tincd manual).
const APART: Duration = Duration::from_secs(60);
/// How long a command may take; ours.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the next drawing is due.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    changed: bool,
    drawn: Option<Instant>,
    /// What was written last, and where to.
    last: (String, String),
    task: Option<JoinHandle<()>>,
}

impl Pictures {
    /// The mesh may have changed.
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// When to draw next.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.changed
            .then(|| self.drawn.map_or(now, |drawn| drawn + APART))
    }

    /// Writes `text` to `target`, a path or `|COMMAND`, unless it is what was written last.
    pub(super) fn draw(&mut self, target: &str, text: String, now: Instant) {
        self.changed = false;
        let drawing = (target.to_owned(), text);
        if drawing == self.last {
            return;
        }
        self.drawn = Some(now);
        self.last.clone_from(&drawing);
        if let Some(running) = self.task.take() {
            running.abort();
        }
        let (target, text) = drawing;
        self.task = Some(tokio::spawn(async move {
            let written = match target.strip_prefix('|') {
                Some(command) => pipe(command, &text).await,
                None => file(target.clone().into(), text).await,
            };
            if let Err(error) = written {
                error!("Cannot write GraphDumpFile {target}: {}", describe(&error));
            }
        }));
    }
}

async fn file(path: PathBuf, text: String) -> io::Result<()> {
    tokio::task::spawn_blocking(move || Draft::write(&path, text.as_bytes(), 0o644)?.commit())
        .await
        .map_err(io::Error::other)?
}

async fn pipe(command: &str, text: &str) -> io::Result<()> {
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let feed = async {
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes()).await?;
        }
        child.wait().await
    };
    match tokio::time::timeout(PATIENCE, feed).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(io::Error::other(format!("the command failed: {status}"))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    async fn draw(pictures: &mut Pictures, target: &str, text: &str, now: Instant) {
        pictures.changed();
        pictures.draw(target, text.to_owned(), now);
        if let Some(task) = pictures.task.take() {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_changed_mesh_is_drawn_to_a_file_or_a_command_once_a_minute() {
        let dir = TempDir::new();
        let (path, piped) = (dir.path().join("mesh"), dir.path().join("piped"));
        let mut pictures = Pictures::default();
        let start = Instant::now();
        assert_eq!(pictures.due(start), None);
        draw(&mut pictures, path.to_str().unwrap(), "one", start).await;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        pictures.changed();
        assert_eq!(pictures.due(start), Some(start + APART));
        // Nothing new does not count.
        draw(&mut pictures, path.to_str().unwrap(), "one", start + APART).await;
        pictures.changed();
        assert_eq!(pictures.due(start), Some(start + APART));
        let command = format!("|cat > {}", piped.display());
        draw(&mut pictures, &command, "two", start + APART).await;
        assert_eq!(std::fs::read_to_string(&piped).unwrap(), "two");
    }
}
