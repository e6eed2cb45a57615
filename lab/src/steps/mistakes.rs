//! The mistakes of the how-to, one a step, made anew in a configuration that was right before.

use cucumber::given;

use super::network::rewrite;
use super::{Outcome, World, fail};
use crate::actors;

/// A here-document whose end mark is not quoted is a template: the shell that writes the file fills in its variables,
/// and `INTERFACE` is set only later, by the daemon.
#[given(expr = "{word}'s tinc-up was written through an unquoted here-document")]
async fn here_document(world: &mut World, node: String) -> Outcome {
    let node = world.node(&node)?;
    let path = actors::path("tinc-up");
    let text = String::from_utf8(node.read_file(&path).await?)?;
    let script = format!("cat > {path} << END\n{text}END\n");
    let output = node.exec(&["sh", "-c", &script]).await?;
    if !output.status.success() {
        fail!(
            "the shell could not write it: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[given(
    expr = "{word}'s tinc-up leaves the interface down and routes the whole address space to it"
)]
async fn interface_down(world: &mut World, node: String) -> Outcome {
    let on_link = format!("ip -6 route add {} dev $INTERFACE", world.overlay()?.pool);
    rewrite(world.node(&node)?, "tinc-up", |text| {
        let kept = text
            .lines()
            .filter(|line| !line.starts_with("ip link set $INTERFACE up"));
        let lines = kept.map(|line| {
            if line.contains("unreachable") {
                &on_link
            } else {
                line
            }
        });
        lines.map(|line| format!("{line}\n")).collect()
    })
    .await
}

/// For the server the gateway of every site, for a Pi its default gateway.
#[given(expr = "{word}'s tinc-up routes through {word}, which is on no link")]
async fn wrong_gateway(world: &mut World, node: String, gateway: String) -> Outcome {
    rewrite(world.node(&node)?, "tinc-up", |text| {
        let lines = text.lines().map(|line| match line.split_once(" via ") {
            Some((route, _)) => format!("{route} via {gateway}\n"),
            None => format!("{line}\n"),
        });
        lines.collect()
    })
    .await
}

#[given(expr = "{word} calls itself {string} in tinc.conf")]
async fn wrong_name(world: &mut World, node: String, name: String) -> Outcome {
    rewrite(world.node(&node)?, "tinc.conf", |text| {
        text.replace(&format!("Name = {node}"), &format!("Name = {name}"))
    })
    .await
}

#[given(expr = "{word} looks for {word} at {word}")]
async fn wrong_address(world: &mut World, node: String, peer: String, address: String) -> Outcome {
    rewrite(world.node(&node)?, &format!("hosts/{peer}"), |text| {
        let lines = text
            .lines()
            .map(|line| match line.strip_prefix("Address = ") {
                Some(_) => format!("Address = {address}\n"),
                None => format!("{line}\n"),
            });
        lines.collect()
    })
    .await
}

#[given(expr = "{word}'s tinc-up does not switch forwarding on")]
async fn no_forwarding(world: &mut World, node: String) -> Outcome {
    rewrite(world.node(&node)?, "tinc-up", |text| {
        let kept = text.lines().filter(|line| !line.starts_with("echo 1 >"));
        kept.map(|line| format!("{line}\n")).collect()
    })
    .await
}
