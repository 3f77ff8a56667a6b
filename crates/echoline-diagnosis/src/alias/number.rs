//! Errors that are named by their number alone: `[Errno 111]`, `os error 61`, `10061`.

use super::errno::{ERRNOS, Errno};
use super::lookup::LOOKUPS;
use super::{Alias, Place};

/// The last number that is called an error, or stands alone.
pub(super) fn find(words: &[String]) -> Option<(Place, Alias)> {
    if let [word] = words {
        return Some((Place { from: 0, to: 1, words: 1 }, of_number(word.parse().ok()?)?));
    }
    (1..words.len()).rev().find_map(|at| {
        let number: i32 = words[at].parse().ok()?;
        // An exit code or a line number is small, too: only what is surely the system's counts.
        let is_error = match words[at - 1].as_str() {
            "errno" => true,
            "error" if at > 1 && words[at - 2] == "os" => true,
            "error" | "code" | "winerror" | "wsa" | "wsagetlasterror" => number > 10_000,
            _ => false,
        };
        let place = Place { from: at - 1, to: at + 1, words: 2 };
        Some((place, of_number(number).filter(|_| is_error)?))
    })
}

fn of_number(number: i32) -> Option<Alias> {
    let same = |other: u16| i32::from(other) == number;
    let name = format!("error {number}");
    let errno = |matches: &dyn Fn(&Errno) -> bool, system: &str| {
        let errno = ERRNOS.iter().find(|errno| matches(errno))?;
        Some(Alias::new(name.clone(), format!("{} on {system}", errno.name), errno.codes))
    };
    errno(&|errno| same(errno.linux) && errno.linux == errno.macos, "Unix systems")
        .or_else(|| errno(&|errno| same(errno.linux), "Linux"))
        .or_else(|| errno(&|errno| same(errno.macos), "macOS"))
        .or_else(|| {
            let errno = ERRNOS.iter().find(|errno| errno.windows.is_some_and(same))?;
            Some(Alias::new(name.clone(), format!("WSA{} on Windows", errno.name), errno.codes))
        })
        .or_else(|| {
            let lookup =
                LOOKUPS.iter().find(|lookup| lookup.windows.is_some_and(|(_, other)| same(other)))?;
            let (windows, _) = lookup.windows?;
            Some(Alias::new(name.clone(), format!("{windows} on Windows"), lookup.codes))
        })
        .or_else(|| {
            let lookup =
                LOOKUPS.iter().find(|lookup| lookup.glibc.is_some_and(|code| i32::from(code) == number))?;
            Some(Alias::new(name.clone(), format!("getaddrinfo's {} on Linux", lookup.name), lookup.codes))
        })
}
