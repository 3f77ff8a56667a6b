//! What a row asks of our server by its flags, for whoever has other words for it.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The wishes that have an equivalent elsewhere. Absent: whatever the server does by itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wish {
    /// The shortest deadline for a connection that does nothing, or too little, or is not acknowledged.
    pub(super) deadline: Option<Duration>,
    pub(super) user_timeout: Option<Duration>,
    pub(super) keepalive: Option<Duration>,
    pub(super) connections: Option<u64>,
    pub(super) per_source: Option<u64>,
    /// A record of each connection on standard error.
    pub(super) verbose: bool,
    /// Open files that it may have, if the row makes them few.
    pub(super) files: Option<u64>,
}

/// As many as keepalive probes of ours may be lost.
pub(super) const PROBES: u32 = 4;

impl Wish {
    pub(super) fn of(flags: &[&str], through: &[&str]) -> Result<Self> {
        let mut wish = Self::default();
        let mut words = flags.iter();
        while let Some(flag) = words.next() {
            if *flag == "--verbose" {
                wish.verbose = true;
                continue;
            }
            let value = words.next().with_context(|| format!("{flag} has no value"))?;
            match *flag {
                "--min-progress" => wish.no_longer_than(value.split_once('/').map_or("0", |pair| pair.1))?,
                "--idle-timeout" => wish.no_longer_than(value)?,
                "--user-timeout" => {
                    wish.user_timeout = time(value)?;
                    wish.no_longer_than(value)?;
                }
                "--keepalive" => wish.keepalive = time(value)?,
                "--max-connections" => wish.connections = count(value)?,
                "--max-connections-per-source" => wish.per_source = count(value)?,
                // Others hold no lines, share no budget and do not wait for those who talk.
                "--max-line" | "--max-buffered" | "--max-pending-output" | "--drain" => {}
                _ => bail!("nobody has said what {flag} means to other servers"),
            }
        }
        // A soft limit, as in `--nofile=166:400`.
        let files = through.iter().find_map(|word| word.strip_prefix("--nofile="));
        wish.files = files.and_then(|limits| limits.split(':').next()?.parse().ok());
        Ok(wish)
    }

    fn no_longer_than(&mut self, text: &str) -> Result<()> {
        self.deadline = match (self.deadline, time(text)?) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Ok(())
    }

    /// Connections for a relay, which needs two files for each. `None`: it is to count its files itself.
    pub(super) fn relayed(&self) -> Option<u64> {
        const FOR_ITSELF: u64 = 200;
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = files.saturating_sub(FOR_ITSELF) / 2;
        self.connections.filter(|_| self.files.is_none()).map(|count| count.min(most))
    }
}

/// `None`: off.
fn time(text: &str) -> Result<Option<Duration>> {
    let seconds: u64 =
        text.trim_end_matches('s').parse().with_context(|| format!("{text} is no time in whole seconds"))?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// `None`: no limit.
fn count(text: &str) -> Result<Option<u64>> {
    let count = text.parse().with_context(|| format!("{text} is no number"))?;
    Ok((count > 0).then_some(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deadline_of_ours_is_theirs_for_a_connection_that_does_nothing() {
        let flags = ["--user-timeout", "30s", "--min-progress", "1KiB/3s", "--idle-timeout", "0"];
        let wish = Wish::of(&flags, &[]).expect("known flags");
        let seconds = |count| Some(Duration::from_secs(count));
        assert_eq!((wish.deadline, wish.user_timeout), (seconds(3), seconds(30)));
        let off = ["--min-progress", "0", "--keepalive", "0"];
        assert_eq!(Wish::of(&off, &[]).expect("known flags"), Wish::default());
    }

    #[test]
    fn a_flag_that_nobody_has_translated_is_an_error() {
        assert!(Wish::of(&["--new-limit", "3"], &[]).is_err());
    }

    #[test]
    fn a_relay_that_is_short_of_files_counts_them_itself() {
        let flags = ["--max-connections", "10", "--max-connections-per-source", "0"];
        let wish = Wish::of(&flags, &["prlimit", "--nofile=166:400", "--"]).expect("known flags");
        assert_eq!((wish.files, wish.relayed(), wish.per_source), (Some(166), None, None));
        let wish = Wish::of(&flags, &[]).expect("known flags");
        assert_eq!(wish.relayed(), Some(10));
    }
}
