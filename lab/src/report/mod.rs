//! What a run tells: steps and timings on the terminal, JUnit and JSON files by cucumber's own writers, and a journal of
//! all that happened, from which a page is made.

mod asked;
pub mod events;
mod journal;
mod names;
mod notes;
mod page;
mod sheet;
mod story;
mod stream;
mod terminal;

pub(crate) use asked::Asked;
pub use journal::Journal;
pub(crate) use names::{folder, id, stem};
pub use notes::Notes;
pub use page::{LARGEST, amount, page};
pub(crate) use sheet::Sheet;
pub(crate) use stream::Stream;
pub(crate) use terminal::Terminal;
