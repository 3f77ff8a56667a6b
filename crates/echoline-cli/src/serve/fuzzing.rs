//! For the fuzz targets `words` and `config`: what people write behind `serve`, and what comes of it.

use std::fmt::Display;
use std::path::Path;

use clap::{Parser, ValueEnum};
use echoline_diagnosis::units::{Size, Span};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::args::Args;
use super::config::Config;
use super::memory::of_groups;
use super::target::Target;
use crate::failure::{Shown, Stop};

/// What people write behind `serve` and its flags. A size or a time writes what reads back to it.
pub fn argument(text: &str) {
    let _ = Target::parse(text);
    if let Ok(size) = text.parse::<Size>() {
        assert_eq!(size.to_string().parse(), Ok(size));
    }
    if let Ok(span) = text.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
}

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    serve: Args,
}

/// The first line is the control groups of the process, between semicolons, where every file of theirs says what stands
/// behind the last of these; each other is a word behind `serve`.
///
/// # Panics
/// When the limits that come of it are not as documented, or what they print does not give the same again.
pub fn config(text: &str) {
    let (limit, words) = text.split_once('\n').unwrap_or((text, ""));
    let (groups, says) = limit.rsplit_once(';').unwrap_or(("0::/", limit));
    let limit = of_groups(Path::new("/groups"), &groups.replace(';', "\n"), |file| {
        assert!(file.starts_with("/groups"), "{}", file.display());
        Some(says.to_owned())
    });
    // As a shell has it; the server raises it.
    let files = Rlimit { current: Some(256), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, files).expect("a lower limit is always allowed");
    let Ok(CommandLine { serve }) = CommandLine::try_parse_from(["serve"].into_iter().chain(words.lines()))
    else {
        return;
    };
    let config = match Config::on_a_machine_with(limit, &serve) {
        Ok(config) => config,
        Err(Stop::Failure(failure)) => {
            let shown = Shown::of(&failure);
            let text = anstream::adapter::strip_str(&shown.text()).to_string();
            assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{text:?}");
            // What to do, beside the page.
            assert!(shown.next.len() >= 2, "{text}");
            return;
        }
        Err(Stop::OutputClosed) => panic!("nothing is written yet"),
    };
    assert_is_as_documented(&serve, limit, &config);

    let again = CommandLine::try_parse_from(words_of(&serve));
    let again = again.unwrap_or_else(|error| panic!("{error}")).serve;
    let same = Config::on_a_machine_with(limit, &again).unwrap_or_else(|stop| panic!("{stop:?}"));
    assert_eq!(format!("{:?}", same.server), format!("{:?}", config.server));
    assert_eq!((same.targets, same.drain, same.log), (config.targets, config.drain, config.log));
    assert_eq!(format!("{:?}", same.voice), format!("{:?}", config.voice));
}

fn assert_is_as_documented(asked: &Args, memory_limit: Option<u64>, config: &Config) {
    let server = &config.server;
    assert!(!config.targets.is_empty() && (1..=1024).contains(&server.workers.get()));
    assert!(server.max_connections > 0);
    if asked.max_connections_per_source.is_none() {
        let each = server.max_connections_per_source.expect("a quarter is a limit").get();
        assert!(each <= server.max_connections && 4 * (each as u128) >= server.max_connections as u128);
    }
    if asked.max_buffered.is_none() {
        let quarter = memory_limit.map_or(u64::MAX, |limit| (limit / 4).max(1));
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
fn words_of(args: &Args) -> Vec<String> {
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
    words.extend(switches.iter().filter(|(_, is_on)| *is_on).map(|(switch, _)| (*switch).to_owned()));
    words.push("--".to_owned());
    words.extend_from_slice(&args.listen);
    words
}
