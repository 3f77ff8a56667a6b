//! The ring engine: one `io_uring` a worker, on Linux 6.1 and later.
//!
//! | file | what it holds | unsafe |
//! |---|---|---|
//! | `driver` | which request follows from which completion | none |
//! | `driver::listeners` | its part that accepts and retires | none |
//! | `kernel` | the seam between the two | none |
//! | `tag` | what a completion belongs to | none |
//! | `ring` | requests, completions, and the memory of what is in flight | yes |
//! | `message` | a send of two parts | yes |
//! | `buffers` | the receive buffers that the kernel picks from | yes |

#[expect(unsafe_code, reason = "shares memory with the kernel")]
mod buffers;
mod driver;
mod kernel;
#[expect(unsafe_code, reason = "a C structure begins as zeroes")]
mod message;
#[expect(unsafe_code, reason = "shares memory with the kernel")]
mod ring;
#[cfg(test)]
mod simulation;
mod tag;

use std::io;
use std::sync::Arc;

use crate::engine::uring::driver::Driver;
use crate::engine::uring::kernel::Kernel as _;
use crate::engine::uring::ring::Ring;
use crate::engine::{Engine, Unavailable};
use crate::shared::Wake;
use crate::worker::Worker;

pub(crate) struct Uring(Driver<Ring>);

impl Engine for Uring {
    const NAME: &'static str = "uring";

    fn new() -> Result<Self, Unavailable> {
        Ok(Self(Driver::new(Ring::new()?)))
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.0.kernel.waker()
    }

    fn run(mut self, mut worker: Worker) -> io::Result<()> {
        self.0.listen(&mut worker)?;
        let mut now = self.0.kernel.now();
        while self.0.turn(&mut worker, &mut now)? {}
        Ok(())
    }
}
