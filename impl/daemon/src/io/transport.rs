//! What a meta connection runs over: TCP, or the socket of a program that connects for us.

use std::io;

use tokio::net::{TcpStream, UnixStream};

/// A connected stream of bytes.
#[derive(Debug)]
pub(crate) enum Transport {
    /// To the peer or to a proxy.
    Tcp(TcpStream),
    /// To the program of `Proxy = exec`.
    Program(UnixStream),
}

impl Transport {
    /// Waits until there may be something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Program(stream) => stream.readable().await,
        }
    }

    /// Waits until there may be room to write.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await,
            Self::Program(stream) => stream.writable().await,
        }
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Program(stream) => stream.try_read(buffer),
        }
    }

    /// Writes as much as there is room for; `WouldBlock` if there is none.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Program(stream) => stream.try_write(bytes),
        }
    }
}
