//! What the end-to-end tests share.

pub mod cases;
pub mod dump;
pub mod libtest;
pub mod members;
pub mod tree;
