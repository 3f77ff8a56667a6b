//! Links that delay, lose, duplicate, reorder, corrupt and throttle, from a seed.
//!
//! [`LinkSettings`] are what one way of a link does, as a value that reads like `loss=5% delay=20ms`;
//! a [`Setting`] is one word of it.
//! [`OneWay`] applies them: frames and `now` in, frames out, no I/O. [`Forwarder`] joins two network
//! interfaces of the namespace that the calling thread is in, with a `OneWay` and a thread for each
//! direction; its sockets stay in that namespace wherever its threads run.

mod forwarder;
mod offload;
mod one_way;
mod setting;
mod settings;

pub use forwarder::{Direction, Forwarder, ForwarderConfig};
pub use offload::offload_off;
pub use one_way::{Counters, Fate, MAX_HELD_BYTES, OneWay};
pub(crate) use setting::delay;
pub use setting::{Chance, MAX_DELAY, MAX_PATTERN, MAX_QUEUE, Setting, SettingError};
pub use settings::LinkSettings;
