//! Giving things up once the daemon has started: root directory, user (`-R`, `-U`), and the
//! right to be swapped out (`-L`).

use std::ffi::CString;
use std::path::Path;

use caps::errors::CapsError;
use caps::securebits::set_keepcaps;
use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::unistd::{User, chdir, chroot, initgroups, setgid, setuid};

/// What addresses, routes, settings, marks, and sockets for advertisements take.
const OF_A_ROUTER: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];

/// Open files that suffice for every neighbour; scripts inherit the limit, and some programs look at each number below
/// it.
const MOST_FILES: u64 = 65_536;

/// A step of giving things up that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivilegeError {
    /// `-U` names nobody.
    #[error("unknown user `{0}'")]
    UnknownUser(String),
    /// Capabilities are not as they have to be.
    #[error("capabilities: {0}")]
    Capabilities(CapsError),
    /// The system refused.
    #[error("{0} failed: {desc}", desc = .1.desc())]
    Refused(&'static str, Errno),
}

/// Keeps all memory of the process out of swap, keys included.
///
/// # Errors
/// If the system refuses, for want of privilege or by a limit.
pub(crate) fn lock_memory() -> Result<(), PrivilegeError> {
    // The limit is on what an ordinary user may lock: after `-U` it would keep us from starting
    // scripts. A container may not let us lift it; what we may lock then is what it allows.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .map_err(|errno| PrivilegeError::Refused("mlockall", errno))
}

/// Allows itself as many open files as whoever started it lets it have: each neighbour takes one, and shells give 1,024.
pub(crate) fn allow_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(now, most)| {
        let wanted = most.min(MOST_FILES).max(now);
        setrlimit(Resource::RLIMIT_NOFILE, wanted, most)
    });
    if let Err(errno) = raised {
        tracing::debug!("the limit of open files stays: {}", errno.desc());
    }
}

/// Sets the priority of the process among others; a lower `nice` value comes first.
///
/// # Errors
/// If the system refuses: values below 0 take privilege.
pub(crate) fn set_nice(nice: i32) -> Result<(), PrivilegeError> {
    // Linux has a priority for each thread; 0 stands for the one that asks.
    let threads: Vec<libc::id_t> = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let threads = if threads.is_empty() { vec![0] } else { threads };
    for thread in threads {
        #[allow(unsafe_code)]
        // SAFETY: setpriority takes three integers and touches no memory of ours.
        let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, thread, nice) };
        match Errno::result(result) {
            // A thread may end meanwhile.
            Ok(_) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(PrivilegeError::Refused("setpriority", errno)),
        }
    }
    Ok(())
}

/// Changes root to `root` and becomes `user`, where given. What a router needs to keep the kernel
/// as wished is kept by this thread if `routes`.
///
/// # Errors
/// If there is no such user or the system refuses; the process must then end.
pub(crate) fn drop_to(
    user: Option<&str>,
    root: Option<&Path>,
    routes: bool,
) -> Result<(), PrivilegeError> {
    // The user is looked up while /etc/passwd can still be seen.
    let user = user.map(find).transpose()?;
    if let Some((user, name)) = &user {
        initgroups(name, user.gid).map_err(|errno| PrivilegeError::Refused("initgroups", errno))?;
        setgid(user.gid).map_err(|errno| PrivilegeError::Refused("setgid", errno))?;
    }
    if let Some(root) = root {
        chroot(root).map_err(|errno| PrivilegeError::Refused("chroot", errno))?;
        chdir("/").map_err(|errno| PrivilegeError::Refused("chdir", errno))?;
    }
    if let Some((user, _)) = &user {
        set_keepcaps(routes).map_err(PrivilegeError::Capabilities)?;
        setuid(user.uid).map_err(|errno| PrivilegeError::Refused("setuid", errno))?;
        // A process that can climb back has not dropped anything.
        if !user.uid.is_root() && setuid(nix::unistd::ROOT).is_ok() {
            return Err(PrivilegeError::Refused("setuid", Errno::EPERM));
        }
        if routes && !user.uid.is_root() {
            // Permitted is what we had; in effect is nothing.
            let kept: CapsHashSet = OF_A_ROUTER.into_iter().collect();
            caps::set(None, CapSet::Effective, &kept)
                .and_then(|()| caps::set(None, CapSet::Permitted, &kept))
                .map_err(PrivilegeError::Capabilities)?;
        }
    }
    Ok(())
}

fn find(name: &str) -> Result<(User, CString), PrivilegeError> {
    let unknown = || PrivilegeError::UnknownUser(name.to_owned());
    let user = User::from_name(name)
        .map_err(|errno| PrivilegeError::Refused("looking up the user", errno))?
        .ok_or_else(unknown)?;
    let name = CString::new(name).map_err(|_| unknown())?;
    Ok((user, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_named() {
        let error = drop_to(Some("v6router_no_such_user"), None, false).unwrap_err();
        assert_eq!(error.to_string(), "unknown user `v6router_no_such_user'");
    }
}
