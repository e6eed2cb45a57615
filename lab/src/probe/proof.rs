//! NAT kinds that a run relies on, each probed once and before anything is concluded from it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::try_join_all;
use tokio::sync::OnceCell;

use super::{ProbeError, Result, plan, probe};
use crate::fabric::Lab;
use crate::model::{Scenario, VenueKind};
use crate::nat;

/// The kinds that were found to be as stated.
#[derive(Debug, Default)]
pub struct Proofs {
    held: Mutex<HashMap<Known, Arc<OnceCell<()>>>>,
}

/// A kind's name and its ruleset, since folders may have files of the same name.
type Known = (String, String);

impl Proofs {
    /// Probes the NAT kinds of a scenario's venues that were not probed yet, side by side, each in a lab of its own.
    ///
    /// # Errors
    /// [`ProbeError::Differs`], with what is stated and what was measured, or why a kind could not be probed.
    pub async fn hold(&self, scenario: &Scenario) -> Result<()> {
        let kinds = scenario.venues.iter().flat_map(|venue| {
            let behind = venue.kind.behind.as_ref().map(|behind| &behind.nat);
            [Some(&venue.kind.nat), behind]
        });
        let proofs = kinds.flatten().map(|kind| {
            let cell = self.cell(kind);
            async move { cell.get_or_try_init(|| prove(kind)).await.map(drop) }
        });
        try_join_all(proofs).await.map(drop)
    }

    fn cell(&self, kind: &nat::Kind) -> Arc<OnceCell<()>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind.name.clone(), kind.template.clone());
        Arc::clone(held.entry(key).or_default())
    }
}

async fn prove(kind: &nat::Kind) -> Result<()> {
    let venue = VenueKind {
        nat: kind.clone(),
        ..VenueKind::default()
    };
    let lab = Lab::up(&plan(venue)?).await?;
    let seen = probe(&lab).await;
    lab.down().await?;
    let measured = seen?.behaviour()?;
    let differences = kind.behaviour.differences(&measured);
    if differences.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    Err(ProbeError::Differs {
        kind: kind.name.clone(),
        differences: told.join("; "),
    })
}
