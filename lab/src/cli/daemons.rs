//! Daemons for a lab that is to be looked at: set up as the how-to has it, mended, on server and Pis.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use v6lab::actors::{self, Daemon, Daemons, KeyPair, KeyRing, Product, Programs};
use v6lab::fabric::Lab;
use v6lab::plan::{Overlay, Plan};
use v6lab::session;

/// Name of a daemon's log in its node's `/var/log`.
pub(super) const LOG: &str = "tincd.log";

/// How long a daemon may take until it says that it is ready: the time of a few scripts.
const READY_LIMIT: Duration = Duration::from_secs(5);

/// Which daemons there will be, and their programs.
pub(super) struct Cast {
    daemons: Daemons,
    programs: Programs,
    overlay: Overlay,
    /// Whether machines are set up by `router.toml` where that is read.
    router_toml: bool,
}

impl Cast {
    /// Makes sure, before anything is built, that there is something to start.
    pub(super) fn choose(daemons: Daemons, router_toml: bool, plan: &Plan) -> Result<Self> {
        let overlay = plan.overlay.clone();
        let overlay = overlay.with_context(|| {
            format!(
                "{:?} has no [overlay], and so no use for daemons",
                plan.title
            )
        })?;
        Ok(Self {
            daemons,
            programs: Programs::locate(daemons)?,
            overlay,
            router_toml,
        })
    }

    /// Starts them all and waits until each is ready. They stay when the handles go.
    pub(super) async fn start(&self, lab: &Lab) -> Result<()> {
        let members: Vec<&String> = [&self.overlay.server]
            .into_iter()
            .chain(self.overlay.sites.iter().map(|site| &site.node))
            .collect();
        let ring = KeyRing::new(self.programs.clone(), session::path());
        let pairs = members.iter().map(async |node| {
            let pair = ring
                .pair(self.daemons.on(&self.overlay, node), node)
                .await?;
            anyhow::Ok(((*node).clone(), pair))
        });
        let keys = try_join_all(pairs).await?;
        // The server first: who finds nobody there tries again only after seconds.
        self.start_one(lab, &self.overlay.server, &keys).await?;
        let sites = self
            .overlay
            .sites
            .iter()
            .map(|site| self.start_one(lab, &site.node, &keys));
        try_join_all(sites).await.map(drop)
    }

    async fn start_one(&self, lab: &Lab, name: &str, keys: &[(String, KeyPair)]) -> Result<()> {
        let node = lab.node(name)?;
        let product = self.daemons.on(&self.overlay, name);
        self.programs.install(node, product).await?;
        let mut directory = actors::directory(lab.plan(), name, product, keys)?;
        if self.router_toml && product == Product::V6router {
            actors::by_router_toml(&mut directory, &self.overlay, name);
            let site = self.overlay.sites.iter().find(|site| site.node == name);
            if let Some(site) = site {
                actors::leave_addresses(node, site).await?;
            }
        }
        for file in directory.files {
            node.write_file(&file.path, file.text, file.mode).await?;
        }
        let daemon = Daemon::start(node, product, &node.var_log().join(LOG)).await?;
        Ok(daemon.says("Ready", READY_LIMIT).await?)
    }
}
