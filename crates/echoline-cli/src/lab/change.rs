//! The changes of a lab that the flags ask for.

use echoline_diagnosis::{Diagnosis, code};
use echoline_lab::Change;

use super::args::{Address, Firewall, Forward, Link, Names};

impl Link {
    pub(super) fn change(&self) -> Result<Change, Diagnosis> {
        Change::link(&self.name, texts(&self.words)).map_err(|message| refused(message, "link"))
    }
}

impl Firewall {
    pub(super) fn change(&self) -> Result<Change, Diagnosis> {
        Change::firewall(&self.host, texts(&self.rule)).map_err(|message| refused(message, "firewall"))
    }
}

impl Forward {
    pub(super) fn change(&self) -> Result<Change, Diagnosis> {
        Change::forward(&self.router, &self.port, &self.host).map_err(|message| refused(message, "forward"))
    }
}

impl Address {
    pub(super) fn change(&self) -> Result<Change, Diagnosis> {
        Change::address(&self.interface, &self.network).map_err(|message| refused(message, "address"))
    }
}

impl Names {
    pub(super) fn change(&self) -> Result<Change, Diagnosis> {
        Change::names(texts(&self.words)).map_err(|message| refused(message, "names"))
    }
}

/// A change that is written as one text, as `--with` takes it.
pub(super) fn parse(text: &str) -> Result<Change, Diagnosis> {
    text.parse().map_err(|message: String| {
        let kind = text.split_whitespace().next().unwrap_or_default();
        refused(message, kind)
    })
}

/// The command that makes such a change says in which forms.
fn refused(message: String, kind: &str) -> Diagnosis {
    let known = ["link", "firewall", "forward", "address", "names"].contains(&kind);
    let help = if known { format!("echoline lab {kind} --help") } else { "echoline lab --help".to_owned() };
    Diagnosis::new(code::LAB_BAD_CHANGE, message).next(help)
}

fn texts(words: &[String]) -> impl Iterator<Item = &str> {
    words.iter().map(String::as_str)
}
