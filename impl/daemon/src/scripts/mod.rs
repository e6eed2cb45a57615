//! Hook scripts: `tinc-up`, `host-up` and their kin (tinc manual, "Scripts").
//!
//! tincd runs them one after another and does nothing else meanwhile. Here they also run one
//! after another and in the same order, but beside the control loop, so that a script that hangs
//! does not keep us from answering pings; only the start waits for `tinc-up` and the stop for
//! everything. Scripts get their values from typed data and are executed directly: nothing a
//! peer sent is ever read by a shell on our behalf.

mod shelf;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::libc::ENOEXEC;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, error, warn};
use v6router_core::addr::Endpoint;
use v6router_core::name::NodeName;
use v6router_core::node::Script;

use crate::config::describe;
use crate::io::{activation, notify};
use shelf::Shelf;

/// Calls that may wait behind a script that hangs; ours. Behind one that does not hang, whatever a mesh comes and goes by.
const QUEUE: usize = 4096;
/// Calls between which no time goes by unless one has a script; ours.
const AT_ONCE: usize = 64;
/// After which a script's running is worth a word, and again each time; ours.
const SLOW: Duration = Duration::from_secs(60);
/// The variables that only some scripts get: none of them is inherited from whoever started us.
const SOMETIMES: [&str; 5] = ["NODE", "REMOTEADDRESS", "REMOTEPORT", "SUBNET", "WEIGHT"];

/// Where the scripts are and what all of them are told.
#[derive(Debug, Clone)]
pub(crate) struct Scripts {
    pub(crate) confbase: PathBuf,
    pub(crate) interpreter: Option<String>,
    pub(crate) netname: String,
    pub(crate) name: NodeName,
    pub(crate) device: String,
    pub(crate) interface: String,
}

type Environment = Vec<(&'static str, String)>;

impl Scripts {
    /// `tinc-up`.
    pub(crate) async fn tinc_up(&self) {
        self.run("tinc-up", &Vec::new()).await;
    }

    /// `tinc-down`.
    pub(crate) async fn tinc_down(&self) {
        self.run("tinc-down", &Vec::new()).await;
    }

    /// The scripts of one call of the core, in tincd's order.
    async fn call(&self, call: &Script, shelves: &mut Shelves) {
        match call {
            Script::Host { up, node, endpoint } => {
                let environment = about(node, endpoint.as_ref());
                let suffix = if *up { "up" } else { "down" };
                let (all, own) = (format!("host-{suffix}"), format!("{node}-{suffix}"));
                if shelves.all.may_have(OsStr::new(&all)) {
                    self.run(&all, &environment).await;
                    shelves.doubt();
                }
                if shelves.own.may_have(OsStr::new(&own)) {
                    self.run(&format!("hosts/{own}"), &environment).await;
                    shelves.doubt();
                }
            }
            Script::Subnet {
                up,
                node,
                subnet,
                endpoint,
            } => {
                let mut environment = about(node, endpoint.as_ref());
                environment.push(("SUBNET", subnet.without_weight().to_string()));
                environment.push(("WEIGHT", subnet.weight.to_string()));
                let name = if *up { "subnet-up" } else { "subnet-down" };
                if shelves.all.may_have(OsStr::new(name)) {
                    self.run(name, &environment).await;
                    shelves.doubt();
                }
            }
        }
    }

    /// Runs one script to its end. One that does not exist is no news.
    async fn run(&self, name: &str, environment: &Environment) {
        let path = self.confbase.join(name);
        if !path.exists() {
            return;
        }
        debug!("Executing script {name}");
        match self.execute(name, &path, environment).await {
            Ok(status) if status.success() => {}
            Ok(status) => error!("Script {name} {}", fate(status)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => error!(
                "Script {name} cannot be executed: permission denied; try chmod +x {}",
                path.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => error!(
                "Script {name} cannot be executed: its interpreter does not exist; \
                 look at the first line of {}",
                path.display()
            ),
            Err(error) => error!("Script {name} cannot be executed: {}", describe(&error)),
        }
    }

    async fn execute(
        &self,
        name: &str,
        path: &Path,
        environment: &Environment,
    ) -> io::Result<ExitStatus> {
        let mut words = self
            .interpreter
            .iter()
            .flat_map(|text| text.split_whitespace());
        let spawned = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(path);
                self.spawn(command, environment)
            }
            None => match self.spawn(Command::new(path), environment) {
                // What a shell does with a script that names no interpreter.
                Err(error) if error.raw_os_error() == Some(ENOEXEC) => {
                    let mut command = Command::new("/bin/sh");
                    command.arg(path);
                    self.spawn(command, environment)
                }
                spawned => spawned,
            },
        };
        let mut running = Running(spawned?);
        loop {
            tokio::select! {
                status = running.0.wait() => return status,
                () = tokio::time::sleep(SLOW) => {
                    warn!("Script {name} is still running; later scripts wait for it");
                }
            }
        }
    }

    fn spawn(&self, mut command: Command, environment: &Environment) -> io::Result<Child> {
        for name in SOMETIMES
            .into_iter()
            .chain(activation::VARIABLES)
            .chain(notify::VARIABLES)
        {
            command.env_remove(name);
        }
        command
            .env("NETNAME", &self.netname)
            .env("NAME", self.name.as_str())
            .env("DEVICE", &self.device)
            .env("INTERFACE", &self.interface)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
    }
}

/// A script at work, a process group of its own. Dropping it ends whatever of it still runs.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // There is no id any more once it was waited for.
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

/// What scripts about a node are told of it.
fn about(node: &NodeName, endpoint: Option<&Endpoint>) -> Environment {
    let mut environment = vec![("NODE", node.to_string())];
    if let Some(Endpoint { host, port }) = endpoint {
        environment.push(("REMOTEADDRESS", host.to_string()));
        environment.push(("REMOTEPORT", port.to_string()));
    }
    environment
}

fn fate(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with non-zero status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}

/// Where scripts about nodes are: those about all of them, and those about one.
struct Shelves {
    all: Shelf,
    own: Shelf,
}

impl Shelves {
    fn doubt(&mut self) {
        self.all.doubt();
        self.own.doubt();
    }
}

enum Job {
    Call(Script),
    /// `ScriptsInterpreter` has changed.
    Interpreter(Option<String>),
    /// Everything before has run.
    Barrier(oneshot::Sender<()>),
}

/// What the loop knows of calls that wait.
#[derive(Debug, Default)]
struct Waiting {
    count: AtomicUsize,
    /// The script in front of them has been running for longer than [`SLOW`].
    hang: AtomicBool,
}

/// Runs calls one after another, beside the control loop.
#[derive(Debug)]
pub(crate) struct Runner {
    queue: mpsc::UnboundedSender<Job>,
    waiting: Arc<Waiting>,
    task: JoinHandle<()>,
    lost: u64,
}

impl Runner {
    /// Starts with an empty queue.
    pub(crate) fn start(mut scripts: Scripts) -> Self {
        let (queue, mut jobs) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::default());
        let state = Arc::clone(&waiting);
        let mut shelves = Shelves {
            all: Shelf::new(&scripts.confbase),
            own: Shelf::new(&scripts.confbase.join("hosts")),
        };
        let task = tokio::spawn(async move {
            let mut next = Vec::new();
            while jobs.recv_many(&mut next, AT_ONCE).await > 0 {
                shelves.doubt();
                for job in next.drain(..) {
                    state.count.fetch_sub(1, Ordering::Relaxed);
                    match job {
                        Job::Call(call) => {
                            let mut called = pin!(scripts.call(&call, &mut shelves));
                            if timeout(SLOW, &mut called).await.is_err() {
                                state.hang.store(true, Ordering::Relaxed);
                                called.await;
                                state.hang.store(false, Ordering::Relaxed);
                            }
                        }
                        Job::Interpreter(interpreter) => scripts.interpreter = interpreter,
                        Job::Barrier(reached) => drop(reached.send(())),
                    }
                }
            }
        });
        Self {
            queue,
            waiting,
            task,
            lost: 0,
        }
    }

    /// Lets a call wait for its turn.
    pub(crate) fn call(&mut self, call: Script) {
        let Waiting { count, hang } = &*self.waiting;
        if hang.load(Ordering::Relaxed) && count.load(Ordering::Relaxed) >= QUEUE {
            // The first loss is news, the next thousands are not.
            if self.lost.is_power_of_two() || self.lost == 0 {
                error!("A script hangs and {QUEUE} calls wait for it: one more is lost");
            }
            self.lost += 1;
            return;
        }
        self.enqueue(Job::Call(call));
    }

    /// Runs what is called from now on with this interpreter.
    pub(crate) fn interpret_with(&self, interpreter: Option<String>) {
        self.enqueue(Job::Interpreter(interpreter));
    }

    fn enqueue(&self, job: Job) {
        self.waiting.count.fetch_add(1, Ordering::Relaxed);
        // Its task ends with us.
        let _ = self.queue.send(job);
    }

    /// Waits until everything called so far has run.
    pub(crate) async fn idle(&self) {
        let (reached, wait) = oneshot::channel();
        self.enqueue(Job::Barrier(reached));
        let _ = wait.await;
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Kills the script that still runs, if any.
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, read_to_string, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::testing::TempDir;

    fn scripts(dir: &TempDir) -> Scripts {
        Scripts {
            confbase: dir.path().to_owned(),
            interpreter: None,
            netname: "vpn".into(),
            name: "me".parse().unwrap(),
            device: "/dev/net/tun".into(),
            interface: "tap0".into(),
        }
    }

    fn script(dir: &TempDir, name: &str, body: &str) {
        let path = dir.write(name, body);
        set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }

    fn host_up(node: &str) -> Script {
        Script::Host {
            up: true,
            node: node.parse().unwrap(),
            endpoint: Some(Endpoint::parse("192.0.2.1", "655").unwrap()),
        }
    }

    #[tokio::test]
    async fn scripts_run_in_order_with_their_own_environment() {
        let dir = TempDir::new();
        let log = dir.path().join("log");
        let line = format!(
            "#!/bin/sh\nsleep 0.0$1\necho \"${{0##*/}} $NETNAME $NAME $INTERFACE $NODE $REMOTEADDRESS $REMOTEPORT $SUBNET $WEIGHT\" >> {}\n",
            log.display()
        );
        for name in ["host-up", "hosts/a-up", "subnet-up"] {
            script(&dir, name, &line);
        }
        let mut runner = Runner::start(scripts(&dir));
        runner.call(host_up("a"));
        runner.call(Script::Subnet {
            up: true,
            node: "me".parse().unwrap(),
            subnet: "10.1.0.0/16#7".parse().unwrap(),
            endpoint: None,
        });
        runner.idle().await;
        assert_eq!(
            read_to_string(&log).unwrap(),
            "host-up vpn me tap0 a 192.0.2.1 655  \n\
             a-up vpn me tap0 a 192.0.2.1 655  \n\
             subnet-up vpn me tap0 me   10.1.0.0/16 7\n"
        );
    }

    #[tokio::test]
    async fn a_script_without_first_line_runs_by_the_shell() {
        let dir = TempDir::new();
        let mark = dir.path().join("mark");
        script(
            &dir,
            "tinc-up",
            &format!("echo \"$INTERFACE\" > {}\n", mark.display()),
        );
        scripts(&dir).tinc_up().await;
        assert_eq!(read_to_string(mark).unwrap(), "tap0\n");
    }

    #[tokio::test]
    async fn an_interpreter_needs_no_execute_permission() {
        let dir = TempDir::new();
        let mark = dir.path().join("mark");
        dir.write("tinc-up", &format!("echo \"$-\" > {}\n", mark.display()));
        let with = Scripts {
            interpreter: Some("/bin/sh -e".into()),
            ..scripts(&dir)
        };
        with.tinc_up().await;
        assert!(read_to_string(mark).unwrap().contains('e'));
    }

    #[tokio::test]
    async fn a_script_left_behind_is_ended_with_its_children() {
        let dir = TempDir::new();
        let pid = dir.path().join("pid");
        let body = format!(
            "#!/bin/sh\nsleep 100 &\necho $! > {}\nwait\n",
            pid.display()
        );
        script(&dir, "host-up", &body);
        let mut runner = Runner::start(scripts(&dir));
        runner.call(host_up("a"));
        let child = loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if let Ok(pid) = read_to_string(&pid).unwrap_or_default().trim().parse() {
                break Pid::from_raw(pid);
            }
        };
        drop(runner);
        // A zombie that nobody has waited for yet is as good as gone.
        let state = || read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        while !state().is_empty() && !state().contains(") Z ") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_failing_script_or_none_stops_nothing() {
        let dir = TempDir::new();
        dir.write("host-up", "not executable");
        script(&dir, "hosts/a-up", "#!/no/such/interpreter\n");
        let mut runner = Runner::start(scripts(&dir));
        runner.call(host_up("a"));
        runner.call(host_up("b"));
        runner.idle().await;
    }
}
