//! What a run tells: steps and timings on the terminal, and JUnit and JSON files by cucumber's own writers.

mod notes;
mod terminal;

pub use notes::Notes;
pub(crate) use terminal::Terminal;
