//! The kernel's addresses, routes, rules and settings: made as wished, and put back as they were.
//!
//! Nothing that was there before is touched. What we do is in a journal before we do it, so that
//! it is undone at the stop, or later if we were killed. Why something is wished is not known here.

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
            if !wish.contains(&item) {
                self.undo(&item).await;
            }
        }
        let mut picture = match Picture::take(&self.handle).await {
            Ok(picture) => picture,
            Err(error) => return vec![format!("the kernel does not tell what is there: {error}")],
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
        let before = settings::before(item)?;
        let Some(before) = before else { return Ok(()) };
        let is_new = self.journal.add(item, before)?;
        debug!("{}", act::describe(item));
        let done = act::put_in_force(&self.handle, picture, item).await;
        if done.is_err() && is_new {
            self.journal.remove(item)?;
        }
        done
    }

    /// Undoes everything.
    pub(crate) async fn restore(mut self) {
        self.undo_all().await;
        self.journal.close();
    }

    async fn undo_all(&mut self) {
        for item in self.journal.items().into_iter().rev() {
            self.undo(&item).await;
        }
    }

    async fn undo(&mut self, item: &Item) {
        let before = self.journal.before(item).unwrap_or(Before::Absent);
        match Picture::take(&self.handle).await {
            Ok(picture) => {
                if let Err(error) = act::undo(&self.handle, &picture, item, &before).await {
                    warn!("{} could not be undone: {error}", act::describe(item));
                }
            }
            Err(error) => warn!("{} could not be undone: {error}", act::describe(item)),
        }
        if let Err(error) = self.journal.remove(item) {
            warn!("The journal cannot be written: {error}");
        }
    }
}
