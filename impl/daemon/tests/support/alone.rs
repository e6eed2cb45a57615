//! A test in namespaces of its own, and its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Set for a test that has its own namespaces, to what nobody else is called.
const ALONE: &str = "V6ROUTER_TEST_ALONE";

/// Runs `body` in network, mount and process namespaces of its own, where port 655 and `/run`
/// are free, and where nothing it starts outlives it. `name` is the test's own.
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let mut unshare = Command::new("unshare");
    unshare.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]);
    if !nix::unistd::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let unique = format!("{}-{name}", std::process::id());
    let set_up = "ip link set lo up && mount -t tmpfs none /run && exec \"$0\" \"$@\"";
    let output = unshare
        .args(["sh", "-c", set_up])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, &unique)
        .output()
        .unwrap();
    // What was mounted, or left by a failure, could not be removed from within.
    for nth in 0..DIRECTORIES {
        let _ = fs::remove_dir_all(temp_dir(&unique, nth));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("test result: ok. 1 passed"),
        "{text}\n{errors}"
    );
}

/// Waits until `done` has something to say.
pub(crate) fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(result) = done() {
            return result;
        }
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn temp_dir(test: &str, nth: u32) -> PathBuf {
    std::env::temp_dir().join(format!("v6router-it-{test}-{nth}"))
}

/// More than any test makes.
const DIRECTORIES: u32 = 200;

/// A directory for the length of a test.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        // Process numbers are not unique across namespaces.
        let test = std::env::var(ALONE).unwrap_or_else(|_| std::process::id().to_string());
        assert!(nth < DIRECTORIES);
        let path = temp_dir(&test, nth);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
