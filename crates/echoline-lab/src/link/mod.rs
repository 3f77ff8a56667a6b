//! Links that delay, lose, duplicate, reorder, corrupt and throttle, from a seed.
//!
//! What the rest of the crate relies on (see `Forwarder`): settings are a value of one direction, read from
//! text such as `loss=5% delay=20ms`; a forwarder joins two network interfaces of the namespace that the
//! calling thread is in; its sockets stay there, its threads run in this process.

mod settings;

pub use settings::{Chance, LinkSettings, MAX_DELAY, MAX_PATTERN, MAX_QUEUE, SettingError};
