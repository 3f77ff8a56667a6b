//! For the fuzz targets alone: what is private and reads bytes of others. No part of the interface.

pub use crate::bench::fuzzing::faults as bench;
pub use crate::connect::fuzzing::differences as connect;
pub use crate::serve::fuzzing::{argument, config};
