//! Work that the kernel leaves to a device: to cut what it gives as one frame into the frames it
//! stands for, and to give it frames as one that it would otherwise take one by one.
//!
//! One call then carries up to 64 KiB. What comes out is, byte for byte, what the kernel would
//! have made of it (Linux, software segmentation), and what is joined is cut into the same again.

mod burst;
mod headers;
mod join;
mod virtio;

pub use burst::Burst;
pub use join::Joiner;
pub use virtio::{Header, Kind, Malformed, Segmentation};
