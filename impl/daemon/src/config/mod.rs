//! tinc's configuration: `tinc.conf`, `conf.d/*.conf`, `hosts/NAME` and `-o`, read into types.
//!
//! Every value remembers the file and line it came from, so that each complaint is one line that
//! says where, what was found and what would be right. Nothing here knows a running daemon.

mod device;
mod host;
mod known;
mod layout;
mod name;
mod numbers;
mod owners;
mod packet;
mod policy;
mod proxy;
pub(crate) mod router;
mod rsa_keys;
mod server;
mod set;
mod syntax;
mod values;

#[cfg(test)]
mod arbitrary;

pub(crate) use host::{Address, HostError, HostFile, Version};
pub(crate) use known::{nearest_of, remarks};
pub(crate) use layout::{Layout, NetnameError};
pub(crate) use name::{OwnNameError, mended, own_name};
pub(crate) use proxy::{Login, Protocol, Proxy};
pub(crate) use rsa_keys::OwnKey;
pub(crate) use server::{BindTo, Family, Listen, ServerConfig, ServerError};
pub(crate) use set::ConfigSet;
pub(crate) use syntax::{Assignment, FileError, NoValue, Override, Span, describe};
pub(crate) use values::{BadValue, Complaint, leading_integer};
