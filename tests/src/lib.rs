//! What the end-to-end tests share.

pub mod libtest;
pub mod tree;
