//! `echoline explain`: the page of each code, found by the code or by what others call it.

use std::fmt::Write;

use echoline_diagnosis::alias::{self, Alias};
use echoline_diagnosis::{Code, Diagnosis, ExitStatus, code};

use crate::failure::Stop;
use crate::output::Output;

/// Explain the code of a failure: what it means, what causes it, what to do
///
/// Also finds the page for errors of systems, languages and other programs, given as a name or as a
/// line of output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echoline explain               list all codes
  echoline explain no-answer     what nothing coming back means, and how to find out why
  echoline explain ECONNREFUSED  the page for an error of the system or of a language
  echoline explain \"curl: (7) Failed to connect to 192.0.2.7\"")]
pub(crate) struct Args {
    /// The code, as it stands in brackets after a failure, or an error of another program: a name
    /// such as ECONNREFUSED, or a line that it printed; without it, all codes are listed
    #[arg(value_name = "CODE")]
    words: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let text = match args.words.as_slice() {
        [] => list(),
        words => explanation(&words.join(" "))?,
    };
    Output::new()?.text(text)?;
    Ok(ExitStatus::Success)
}

/// Each code with what it says in one line.
fn list() -> String {
    let width = Code::all().map(|code| code.as_str().len()).max().unwrap_or_default();
    Code::all().map(|code| format!("{code:<width$}  {}\n", code.page().title)).collect()
}

/// The page of the code; of what has another name, below a line that says what was read.
fn explanation(text: &str) -> Result<String, Diagnosis> {
    if let Some(code) = own(text) {
        return Ok(code.page().to_string());
    }
    let Some(found) = alias::find(text) else { return Err(unknown(text)) };
    let Some(likeliest) = found.codes.first() else { return Err(of_no_network(&found)) };
    Ok(format!("{}\n{}", read_as(&found), likeliest.page()))
}

/// A code as it was copied: in brackets, in capitals, in words, or at the end of a failure.
fn own(text: &str) -> Option<Code> {
    let text = text.trim().to_ascii_lowercase();
    let inside = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')).map(|(_, inside)| inside);
    let word = inside.unwrap_or(text.trim_start_matches('['));
    // check prints its certainty beside the code.
    let word = word.split(',').next().unwrap_or_default().trim();
    word.parse().ok().or_else(|| {
        let is_name_of_others = alias::find(word).is_some();
        word.replace(' ', "-").parse().ok().filter(|_| !is_name_of_others)
    })
}

/// What was read and which codes it can mean.
fn read_as(found: &Alias) -> String {
    let what = format!("{} is {}", quoted(&found.name), found.what);
    if let [code] = found.codes.as_slice() {
        return format!("{what}: {code}\n");
    }
    let mut text = format!("{what}. It can mean, the likeliest first:\n");
    let width = found.codes.iter().map(|code| code.as_str().len()).max().unwrap_or_default();
    for code in &found.codes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {code:<width$}  {}", code.page().title);
    }
    text
}

/// In quotes if it has several words.
fn quoted(name: &str) -> String {
    if name.contains(' ') { format!("\"{name}\"") } else { name.to_owned() }
}

/// The names that have no codes are about accounts and keys.
fn of_no_network(found: &Alias) -> Diagnosis {
    let sentence = format!("{} is {}, and has no page here", quoted(&found.name), found.what);
    Diagnosis::new(code::USAGE, sentence)
        .evidence("so", "the network works: the server answered, but the account or a key was not accepted")
        .next("echoline explain lists all codes")
}

fn unknown(text: &str) -> Diagnosis {
    let failure = Diagnosis::new(code::USAGE, format!("there is no code \"{}\"", beginning(text)));
    let failure = match nearest(text) {
        Some(name) => failure.next(format!("did you mean {name}? echoline explain {name}")),
        None => failure,
    };
    failure.next("echoline explain lists all codes")
}

/// How much is shown of a text, which can be a whole log.
const SHOWN: usize = 100;

fn beginning(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The code or the name of others that looks most like it, if one does.
fn nearest(text: &str) -> Option<String> {
    /// Below this, the words have little in common. There are many names of others, so that one is
    /// always somewhat like it.
    const ALIKE: [f64; 2] = [0.75, 0.88];
    if text.len() > SHOWN {
        return None;
    }
    let word = text.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&word, &name.to_ascii_lowercase());
    let [own, others] = ALIKE;
    let codes = Code::all().map(|code| (likeness(code.as_str()), own, code.as_str().to_owned()));
    let names = alias::all().filter(|alias| !alias.codes.is_empty());
    let names = names.map(|alias| (likeness(&alias.name), others, quoted(&alias.name)));
    // Of two that are equally like it, the last: a code.
    let alike = names.chain(codes).filter(|(likeness, least, _)| likeness >= least);
    let (_, _, name) = alike.max_by(|(a, ..), (b, ..)| a.total_cmp(b))?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_line_in_the_list() {
        let list = list();
        assert_eq!(list.lines().count(), Code::all().count());
        for code in Code::all() {
            assert!(list.lines().any(|line| line.split(' ').next() == Some(code.as_str())), "{code}");
        }
    }

    #[test]
    fn a_code_is_read_as_it_was_copied_and_a_typing_error_finds_its_code() {
        for text in ["[No-Answer]", "no-answer, likely", "[no-answer, cannot-tell]", "no answer"] {
            assert_eq!(own(text), Some(code::NO_ANSWER));
        }
        assert_eq!(own("[ok, certain]"), Some(code::OK));
        assert_eq!(own("localhost:5151 refused the connection   [refused]"), Some(code::REFUSED));
        assert_eq!(nearest("no-anwser").as_deref(), Some("no-answer"));
        assert_eq!(nearest("adress-in-use").as_deref(), Some("address-in-use"));
        assert_eq!(nearest("zzzzz"), None);
        let failure = explanation("refusd").unwrap_err();
        assert_eq!(
            failure.steps().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["did you mean refused? echoline explain refused", "echoline explain lists all codes"]
        );
    }

    #[test]
    fn a_plain_code_prints_its_page_alone() {
        for code in Code::all() {
            assert_eq!(explanation(code.as_str()).unwrap(), code.page().to_string());
        }
    }

    #[test]
    fn a_name_of_others_is_read_aloud_above_the_page() {
        let page = code::REFUSED.page();
        for (text, line) in [
            ("econnrefused", "ECONNREFUSED is an error of Unix systems, number 111 on Linux and 61 on macOS"),
            ("connection refused", "\"Connection refused\" is how Unix systems write ECONNREFUSED"),
            ("WSAECONNREFUSED", "WSAECONNREFUSED is error 10061 of Windows Sockets"),
            ("10061", "\"error 10061\" is WSAECONNREFUSED on Windows"),
        ] {
            assert_eq!(explanation(text).unwrap(), format!("{line}: refused\n\n{page}"));
        }
    }

    #[test]
    fn a_name_of_two_meanings_lists_both_and_prints_the_likelier_page() {
        let bind = "\
EADDRNOTAVAIL is an error of Unix systems, number 99 on Linux and 49 on macOS. It can mean, the likeliest first:
  address-not-available  The address belongs to no interface of this machine.
  no-local-port          No local port is free for one more connection.

address-not-available
";
        assert!(explanation("EADDRNOTAVAIL").unwrap().starts_with(bind));
        let connect = explanation("connect: EADDRNOTAVAIL").unwrap();
        assert!(connect.contains("first:\n  no-local-port "), "{connect}");
        assert!(connect.contains("\n\nno-local-port\n"), "{connect}");
        // The code of that name is asked for with its hyphen.
        assert!(explanation("timed out").unwrap().contains("  no-answer  "));
    }

    #[test]
    fn a_mistyped_name_of_others_is_suggested() {
        for (text, name) in [
            ("ECONREFUSED", "ECONNREFUSED"),
            ("conection refused", "\"Connection refused\""),
            ("ConnectionRefusdError", "ConnectionRefusedError"),
            ("UnknownHostExeption", "UnknownHostException"),
        ] {
            let failure = explanation(text).unwrap_err();
            assert_eq!(
                failure.steps()[0].to_string(),
                format!("did you mean {name}? echoline explain {name}")
            );
        }
        assert_eq!(nearest("the disk is full"), None);
    }

    #[test]
    fn what_is_not_about_the_network_says_so() {
        let failure = explanation("me@example.com: Permission denied (publickey,password).").unwrap_err();
        assert!(failure.to_string().ends_with("is what ssh prints, and has no page here"), "{failure}");
    }

    #[test]
    fn a_long_text_is_shown_by_its_beginning() {
        assert_eq!(beginning(&"\u{e9}".repeat(300)), format!("{}...", "\u{e9}".repeat(100)));
    }
}
