//! A lab as a value in a program: a kit in a cafe asks a server on the internet for an echo.
//!
//! `cargo run -p v6lab --example visit`

use std::time::Duration;

use anyhow::{Context, bail};
use v6lab::fabric::Lab;
use v6lab::model::Scenario;
use v6lab::plan::Plan;
use v6lab::{observe, session};

/// The server's address.
const WWW: &str = "198.51.100.10";

fn main() -> anyhow::Result<()> {
    // Whatever is built from here on goes with this program. Must be said before there is a second thread.
    session::enter()?;
    tokio::runtime::Runtime::new()?.block_on(visit())
}

async fn visit() -> anyhow::Result<()> {
    let scenario = Scenario::builder("a cafe")
        .server("www", [format!("{WWW}/24")])
        .venue("cafe", "satellite-geo", "203.0.113.50/24", "192.168.1.0/24")
        .pi("kit", "cafe")
        .build()?;
    let plan = Plan::new(&scenario);
    println!("{}", plan.drawing());
    let lab = Lab::up(&plan).await?;
    let limit = Duration::from_secs(10);
    let report = observe::reach(lab.node("kit")?, WWW.parse()?, limit).await?;
    let first = report.first_reply.context("nothing came back")?;
    println!("the first echo came after {first:?}");
    if first < Duration::from_millis(600) {
        bail!("that is faster than light");
    }
    Ok(lab.down().await?)
}
