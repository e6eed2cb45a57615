//! The command `v6lab`.

fn main() {}
