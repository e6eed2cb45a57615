//! Whether scripts can be run, and whether their commands still have what they need.

use super::finding::{At, Code, Findings};
use super::network::Network;
use super::script::{Deed, Missing};
use crate::config::nearest_of;

/// Of each script by itself.
pub(super) fn check(network: &Network, found: &mut Findings) {
    for script in &network.scripts {
        if !script.executable {
            let what = format!("{} may not be executed", script.name);
            let fix = format!("chmod +x {}", script.path.display());
            let why = "the daemon says `permission denied' and goes on without it";
            found.error(
                Code::ScriptNotExecutable,
                At::file(&script.path),
                what,
                why,
                fix,
            );
        }
        if script.crlf {
            found.error(
                Code::ScriptCrlf,
                At::line(&script.path, 1),
                "the lines end as on Windows (CR LF)",
                "the kernel looks for an interpreter whose name ends in a carriage return",
                format!("sed -i 's/\\r$//' {}", script.path.display()),
            );
        } else if !script.has_interpreter {
            found.note(
                Code::ScriptWithoutInterpreter,
                At::line(&script.path, 1),
                "the first line names no interpreter",
                "it is left to who runs it",
                "begin it with `#!/bin/sh'",
            );
        }
        for act in &script.acts {
            let Deed::NoInterface(missing) = &act.deed else {
                continue;
            };
            let (what, why) = match missing {
                Missing::Empty => (
                    "no interface is named",
                    "the shell that wrote this file, from an unquoted here-document, expanded `$INTERFACE' to nothing",
                ),
                Missing::Unexpanded => (
                    "`$INTERFACE' is quoted",
                    "no shell expands it, and no interface is called so",
                ),
                Missing::Unset(name) if nearest_of(name, ["INTERFACE"]).is_some() => {
                    ("a variable that nobody sets", "the daemon sets INTERFACE")
                }
                // Somebody's own environment.
                Missing::Unset(_) => continue,
            };
            found.error(
                Code::EmptyInterface,
                At::line(&script.path, act.line),
                format!("{what}: {}", act.shown),
                format!("{why}; the command fails, and the interface stays as it was"),
                "write $INTERFACE there; with a here-document, quote its end mark: << 'END'",
            );
        }
    }
}
