//! The instructions of x86-64 processors.

#![allow(unsafe_code)]

pub(crate) mod aes;
pub(crate) mod sha;

use std::arch::x86_64::__m128i;

/// The register with these bytes, the first one lowest.
fn register(bytes: [u8; 16]) -> __m128i {
    // SAFETY: both are 16 bytes, and every pattern of bits is a value of either.
    unsafe { std::mem::transmute(bytes) }
}

/// The bytes of a register, the lowest one first.
fn bytes(register: __m128i) -> [u8; 16] {
    // SAFETY: both are 16 bytes, and every pattern of bits is a value of either.
    unsafe { std::mem::transmute(register) }
}
