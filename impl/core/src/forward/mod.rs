//! Frames between two tunnels: TCP is told early what fits, senders are told when something does
//! not. Pure functions on bytes that know neither tunnels nor who owns what.

pub mod fragment;
pub mod mss;
pub mod too_big;
