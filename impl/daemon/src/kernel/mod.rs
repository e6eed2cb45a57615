//! The kernel's addresses, routes, rules and settings: made as wished, and put back as they were.
//!
//! Nothing that was there before is touched. What we do is in a journal before we do it, so that
//! it is undone at the stop, or later if we were killed or it could not be undone. Why something is
//! wished is not known here.

mod act;
mod found;
mod journal;
mod picture;
mod settings;

use std::io;
use std::path::Path;

use rtnetlink::Handle;
use tracing::{debug, warn};
use v6router_core::router::wish::{Item, Link};

use act::Failure;
pub(crate) use found::{find, neighbours};
use journal::{Before, Journal};
use picture::Picture;

/// Keeps the kernel as wished.
pub(crate) struct Keeper {
    handle: Handle,
    journal: Journal,
}

impl Keeper {
    /// Undoes what a predecessor left, and begins a journal at `path`.
    ///
    /// # Errors
    /// If the kernel does not speak with us, or there can be no journal.
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        // Ends with the handle.
        tokio::spawn(connection);
        let journal = Journal::open(path)?;
        let mut keeper = Self { handle, journal };
        if !keeper.journal.is_empty() {
            warn!("What was left behind in the kernel is put back");
            keeper.undo_all().await;
        }
        Ok(keeper)
    }

    /// The interfaces that are there.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(crate) async fn links(&self) -> Result<Vec<Link>, rtnetlink::Error> {
        Ok(Picture::take(&self.handle).await?.links())
    }

    /// Undoes what is not wished any longer, and does what is missing; in words, what could not be
    /// done.
    pub(crate) async fn apply(&mut self, wish: &[Item]) -> Vec<String> {
        let mut complaints = Vec::new();
        for item in self.journal.items().into_iter().rev() {
            if !wish.contains(&item)
                && let Err(error) = self.undo(&item).await
            {
                // It is tried again when there is something to do anyhow.
                complaints.push(not_undone(&item, &error));
            }
        }
        let mut picture = match Picture::take(&self.handle).await {
            Ok(picture) => picture,
            Err(error) => {
                complaints.push(format!("the kernel does not tell what is there: {error}"));
                return complaints;
            }
        };
        for item in wish {
            if picture.has(item) {
                continue;
            }
            if let Err(error) = self.put_in_force(item, &mut picture).await {
                complaints.push(format!("{}: {error}", act::describe(item)));
            }
        }
        complaints
    }

    async fn put_in_force(&mut self, item: &Item, picture: &mut Picture) -> Result<(), Failure> {
        let ours = self.journal.before(&Item::Forwarding);
        let before = settings::KERNEL.before(item, ours.as_ref())?;
        let Some(before) = before else { return Ok(()) };
        let is_new = self.journal.add(item, before)?;
        debug!("{}", act::describe(item));
        let done = act::put_in_force(&self.handle, picture, item).await;
        // What somebody else has done is not ours to undo.
        if is_new && !matches!(done, Ok(true)) {
            self.journal.remove(item)?;
        }
        done.map(|_| ())
    }

    /// Undoes everything, each thing once: what fails stays in the journal, for the next start or
    /// `v6router down`. In words, what that is, also if it failed at the start already.
    pub(crate) async fn restore(mut self) -> Vec<String> {
        let left = self.undo_all().await;
        self.journal.close();
        left
    }

    async fn undo_all(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for item in self.journal.items().into_iter().rev() {
            if let Err(error) = self.undo(&item).await {
                let complaint = not_undone(&item, &error);
                warn!("{complaint}");
                left.push(complaint);
            }
        }
        left
    }

    /// Undoes what is in the journal, where it stays if that fails.
    async fn undo(&mut self, item: &Item) -> Result<(), Failure> {
        let before = self.journal.before(item).unwrap_or(Before::Absent);
        let picture = Picture::take(&self.handle).await?;
        match act::undo(&self.handle, &picture, item, &before).await {
            // Meanwhile it may have gone by itself, or with its interface.
            Err(Failure::Netlink(_)) => {
                let picture = Picture::take(&self.handle).await?;
                act::undo(&self.handle, &picture, item, &before).await?;
            }
            outcome => outcome?,
        }
        if let Err(error) = self.journal.remove(item) {
            warn!("The journal cannot be written: {error}");
        }
        Ok(())
    }
}

fn not_undone(item: &Item, error: &Failure) -> String {
    format!("{} could not be undone: {error}", act::describe(item))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::TempDir;

    #[tokio::test]
    async fn what_cannot_be_undone_is_told_and_stays_in_the_journal() {
        let dir = TempDir::new();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        let gone = Item::Up {
            interface: "no-such-link".to_owned(),
        };
        journal.add(&gone, Before::Absent).unwrap();
        // A directory, which holds no value.
        let key = "ipv6/conf".to_owned();
        let before = Before::Settings(BTreeMap::from([(key.clone(), "0".to_owned())]));
        let stuck = Item::Setting {
            key,
            value: "1".to_owned(),
            only: None,
        };
        journal.add(&stuck, before.clone()).unwrap();
        drop(journal);
        let mut keeper = Keeper::open(&path).await.unwrap();
        assert_eq!(keeper.journal.items(), std::slice::from_ref(&stuck));
        let complaints = keeper.apply(&[]).await;
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains("could not be undone"));
        // The stop is none the worse for it.
        assert_eq!(keeper.restore().await, complaints);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.items(), std::slice::from_ref(&stuck));
        assert_eq!(journal.before(&stuck), Some(before));
    }
}
