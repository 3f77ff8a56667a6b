//! Stands for the ring engine on systems that have no `io_uring`, or for which its crate knows no layout: 32-bit ones.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use crate::engine::{Engine, Unavailable};
use crate::shared::Wake;
use crate::worker::Worker;

/// There is none.
pub(crate) struct Uring(Infallible);

impl Engine for Uring {
    const NAME: &'static str = "uring";

    fn new() -> Result<Self, Unavailable> {
        Err(Unavailable::new("io_uring is for 64-bit Linux", io::ErrorKind::Unsupported.into()))
    }

    fn waker(&self) -> Arc<dyn Wake> {
        match self.0 {}
    }

    fn run(self, _worker: Worker) -> io::Result<()> {
        match self.0 {}
    }
}
