//! Programs of the system that tell what the kernel's files do not: each asked once, and not for long.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::cancel::{Cancel, Received};

/// More than that is no answer to read.
const MAX_OUTPUT: u64 = 16 << 20;

/// Why a program did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    NotInstalled,
    /// It had not ended when the time was up.
    Slow,
    /// It failed: it usually needs root.
    Refused,
}

/// What it prints on standard output, if it ends well, and until then.
pub(super) fn ask(
    program: &str,
    arguments: &[&str],
    until: Instant,
    cancel: &Cancel,
) -> Result<String, NoAnswer> {
    let file = find(program).ok_or(NoAnswer::NotInstalled)?;
    let mut command = Command::new(file);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|_| NoAnswer::NotInstalled)?;
    let (said, heard) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        let read = move || {
            let mut text = Vec::new();
            let read = stdout.take(MAX_OUTPUT).read_to_end(&mut text);
            // Nobody listens any more when the time is up.
            let _ = said.send(read.map(|_| text));
        };
        // Without a thread nobody says anything, which ends the wait below.
        let _ = thread::Builder::new().spawn(read);
    }
    let text = match cancel.receive(&heard, until) {
        Received::Here(text) => Some(text),
        Received::NotYet | Received::Never => {
            let _ = child.kill();
            None
        }
    };
    let ended_well = child.wait().is_ok_and(|status| status.success());
    let text = text.ok_or(NoAnswer::Slow)?;
    let text = text.ok().filter(|_| ended_well).ok_or(NoAnswer::Refused)?;
    String::from_utf8(text).map_err(|_| NoAnswer::Refused)
}

/// `sbin` counts: the PATH of an ordinary user often lacks it.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_program_answers_or_says_how_not() {
        let until = Instant::now() + Duration::from_secs(20);
        assert_eq!(ask("echo", &["a", "b"], until, &Cancel::new()), Ok("a b\n".to_owned()));
        assert_eq!(ask("no-such-program", &[], until, &Cancel::new()), Err(NoAnswer::NotInstalled));
        assert_eq!(ask("false", &[], until, &Cancel::new()), Err(NoAnswer::Refused));
    }

    #[test]
    fn one_that_does_not_end_is_ended() {
        let begin = Instant::now();
        assert_eq!(
            ask("sleep", &["60"], begin + Duration::from_millis(50), &Cancel::new()),
            Err(NoAnswer::Slow)
        );
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}
