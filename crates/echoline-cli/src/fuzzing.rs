//! For the fuzz targets alone: what is private and reads bytes of others. No part of the interface.

use crate::failure::Stop;
use crate::units::{Size, Span};
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt::Display;

pub use crate::bench::fuzzing::faults as bench;
pub use crate::connect::fuzzing::differences as connect;

/// What people write behind `serve` and its flags. A size or a time writes what reads back to it.
pub fn argument(text: &str) {
    let _ = crate::serve::is_target(text);
    if let Ok(size) = text.parse::<Size>() {
        assert_eq!(size.to_string().parse(), Ok(size));
    }
    if let Ok(span) = text.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
}

// `serve` once more, from the same files, up to what it is to do: on a machine whose memory limit is the fuzzer's to set.
#[path = "serve/args.rs"]
mod args;
#[path = "serve/config.rs"]
mod config;
#[allow(dead_code, reason = "only the name of a format is needed of it")]
#[path = "serve/log.rs"]
mod log;
#[path = "serve/progress.rs"]
mod progress;
#[allow(dead_code, reason = "the log needs it")]
#[path = "serve/queue.rs"]
mod queue;
#[path = "serve/target.rs"]
mod target;

/// In the place of `serve/memory.rs`.
mod memory {
    use std::cell::Cell;

    thread_local! {
        pub(super) static LIMIT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    pub(super) fn limit() -> Option<u64> {
        LIMIT.get()
    }
}

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    serve: args::Args,
}

/// The first line is the memory limit of the machine in bytes, if it is a number; each other is a word behind `serve`.
///
/// # Panics
/// When the limits that come of it are not as documented, or what they print does not give the same again.
pub fn config(text: &str) {
    let (limit, words) = text.split_once('\n').unwrap_or((text, ""));
    // As a shell has it; the server raises it.
    let files = Rlimit { current: Some(256), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, files).expect("a lower limit is always allowed");
    // Nothing runs in less than four bytes.
    memory::LIMIT.set(limit.parse().ok().filter(|limit| *limit >= 4));
    let Ok(CommandLine { serve }) = CommandLine::try_parse_from(["serve"].into_iter().chain(words.lines()))
    else {
        return;
    };
    let config = match config::Config::resolve(&serve) {
        Ok(config) => config,
        Err(Stop::Failure(failure)) => {
            let shown = anstream::adapter::strip_str(&failure.text()).to_string();
            assert!(!shown.contains(|char: char| char.is_control() && char != '\n'), "{shown:?}");
            assert!(!failure.next.is_empty(), "{shown}");
            return;
        }
        Err(Stop::OutputClosed) => panic!("nothing is written yet"),
    };
    assert_is_as_documented(&serve, &config);

    let again = CommandLine::try_parse_from(words_of(&serve));
    let again = again.unwrap_or_else(|error| panic!("{error}")).serve;
    let same = config::Config::resolve(&again).unwrap_or_else(|stop| panic!("{stop:?}"));
    assert_eq!(format!("{:?}", same.server), format!("{:?}", config.server));
    assert_eq!((same.targets, same.drain, same.log), (config.targets, config.drain, config.log));
    assert_eq!(format!("{:?}", same.voice), format!("{:?}", config.voice));
}

fn assert_is_as_documented(asked: &args::Args, config: &config::Config) {
    let server = &config.server;
    assert!(!config.targets.is_empty() && (1..=1024).contains(&server.workers.get()));
    assert!(server.max_connections > 0);
    if asked.max_connections_per_source.is_none() {
        let each = server.max_connections_per_source.expect("a quarter is a limit").get();
        assert!(each <= server.max_connections && 4 * (each as u128) >= server.max_connections as u128);
    }
    if asked.max_buffered.is_none() {
        let quarter = memory::limit().map_or(u64::MAX, |limit| limit / 4);
        assert!(server.max_buffered.get() as u64 <= quarter.min(128 << 20), "{}", server.max_buffered);
    }
    let times = [server.idle_timeout, server.keepalive, server.user_timeout];
    assert!(times.into_iter().flatten().all(|time| !time.is_zero()), "0 is none: {times:?}");
    assert!(server.min_progress.is_none_or(|progress| !progress.interval.is_zero()));

    let files = server.open_files();
    assert!(files >= server.max_connections && files > server.workers.get());
    let may_open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let warns = |of: &str| config.warnings.iter().any(|warning| warning.starts_with(of));
    // Who asked for more is warned, and who did not gets as many as there is room for.
    assert!(may_open >= files as u64 || warns("Warning: no room for "), "{may_open} for {files}");
    assert_eq!(warns("Warning: a line may have "), server.max_line > server.max_buffered);
}

/// The same command line again: each value as it prints itself.
fn words_of(args: &args::Args) -> Vec<String> {
    let mut words = vec!["serve".to_owned()];
    let mut flag = |name: &str, value: &dyn Display| words.push(format!("--{name}={value}"));
    flag("max-line", &args.max_line);
    flag("long-lines", &args.long_lines);
    flag("max-pending-output", &args.max_pending_output);
    flag("min-progress", &args.min_progress);
    flag("idle-timeout", &args.idle_timeout);
    flag("keepalive", &args.keepalive);
    flag("user-timeout", &args.user_timeout);
    flag("engine", &args.engine);
    flag("drain", &args.drain);
    flag("log", &args.log.to_possible_value().expect("each has a name").get_name());
    args.max_connections.inspect(|most| flag("max-connections", most));
    args.max_connections_per_source.inspect(|most| flag("max-connections-per-source", most));
    args.max_buffered.inspect(|most| flag("max-buffered", most));
    args.threads.inspect(|threads| flag("threads", threads));
    let switches = [("--once", args.once), ("-v", args.voice.verbose), ("-q", args.voice.quiet)];
    words.extend(switches.into_iter().filter_map(|(switch, is_on)| is_on.then(|| switch.to_owned())));
    words.push("--".to_owned());
    words.extend_from_slice(&args.listen);
    words
}
