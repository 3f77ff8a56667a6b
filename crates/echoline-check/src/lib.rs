//! Why can these two programs not talk?
//!
//! [`run`] looks from this machine at one step after the other (the address, the name, the route, a
//! connection to every address, what the other side does) and says what that comes to, and how sure
//! it is. Its [`Report`] is a plain value, typed and serialisable, whose JSON is documented in
//! docs/check.schema.json.
//!
//! ```no_run
//! use echoline_check::{Cancel, Options, run};
//!
//! let report = run(&Options::host("example.org:443".parse()?), &Cancel::new());
//! println!("{} [{}, {}]", report.verdict, report.verdict.code(), report.verdict.certainty());
//! for step in report.verdict.steps() {
//!     println!("next: {step}");
//! }
//! # Ok::<(), echoline::Error>(())
//! ```
//!
//! | what to ask | how |
//! |---|---|
//! | why a host cannot be reached | [`Options::host`] |
//! | when and how a silent connection to it ends | the same, with [`HostOptions::idle`] |
//! | whether others can reach a port of this machine | [`Options::listen`] |
//! | what this machine has | [`machine`] |
//!
//! It prints nothing, installs no signal handlers and ends no process: [`Cancel`] ends a check
//! early. It runs on Linux; elsewhere there are the types alone, and what any system can tell.
#![forbid(unsafe_code)]
// Elsewhere nothing looks, so there is nothing to judge.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]

pub mod evidence;
pub mod report;

mod cancel;
mod firewall;
mod options;
mod place;
mod probe;
mod recognise;
#[cfg(target_os = "linux")]
mod run;
#[cfg(test)]
mod schema;
mod shortage;
mod verdict;
mod words;

pub use cancel::Cancel;
pub use evidence::{Expect, MachineReport, Scheme};
pub use options::{HostOptions, ListenOptions, Options};
pub use place::Place;
pub use probe::holder::{Hold, Holder, holder_of};
pub use probe::reach::{Reach, reach_at};
pub use recognise::recognise;
pub use report::Report;
#[cfg(target_os = "linux")]
pub use run::{machine, run};
pub use shortage::{is_out_of_files, no_file, no_thread};
