//! The dependency arrows of ARCHITECTURE.md, held against what cargo resolves.

use anyhow::{Result, bail};

use crate::run;

/// What one of our crates may depend on, directly or through others.
struct Rule {
    package: &'static str,
    /// Those of our own crates that it may reach.
    ours: &'static [&'static str],
    /// Crates that it must not reach.
    never: &'static [&'static str],
}

/// No default build brings an asynchronous runtime: data paths are threads and engines.
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol", "async-executor", "monoio", "glommio", "compio"];

const RULES: &[Rule] = &[
    Rule { package: "echoline", ours: &[], never: &["clap", "mio", "io-uring", "tracing"] },
    Rule { package: "echoline-sys", ours: &[], never: &["clap", "mio", "io-uring"] },
    Rule { package: "echoline-server", ours: &["echoline", "echoline-sys"], never: &["clap", "rustyline"] },
    Rule { package: "echoline-lab", ours: &[], never: &["clap", "mio", "io-uring", "rustyline"] },
    Rule { package: "echoline-testing", ours: &[], never: &[] },
    Rule {
        package: "echoline-cli",
        ours: &["echoline", "echoline-sys", "echoline-server", "echoline-lab"],
        never: &[],
    },
];

/// Fails with every arrow that points where it must not, spelled as a path.
pub(crate) fn check() -> Result<()> {
    let members =
        run::captured(run::cargo().args(["tree", "--workspace", "--depth", "0", "--prefix", "none"]))?;
    let mut offences = Vec::new();
    for member in members.lines().filter_map(|line| line.split(' ').next()).filter(|name| is_ours(name)) {
        let Some(rule) = RULES.iter().find(|rule| rule.package == member) else {
            offences
                .push(format!("{member} has no rule: add one to xtask/src/arrows.rs and to ARCHITECTURE.md"));
            continue;
        };
        let tree = run::captured(run::cargo().args([
            "tree",
            "-p",
            member,
            "-e",
            "normal,build",
            "--target",
            "all",
            "--no-dedupe",
            "--prefix",
            "depth",
        ]))?;
        offences.extend(forbidden_paths(rule, &tree));
    }
    if !offences.is_empty() {
        bail!("forbidden dependency:\n  {}", offences.join("\n  "));
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    name == "echoline" || name.starts_with("echoline-")
}

impl Rule {
    fn forbids(&self, name: &str) -> bool {
        if is_ours(name) {
            return name != self.package && !self.ours.contains(&name);
        }
        self.never.contains(&name) || RUNTIMES.contains(&name)
    }
}

/// The paths of `tree` (`cargo tree --prefix depth`) that end in a crate which `rule` forbids.
fn forbidden_paths(rule: &Rule, tree: &str) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for line in tree.lines() {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(depth) = line[..digits].parse::<usize>() else { continue };
        let Some(name) = line[digits..].split(' ').next() else { continue };
        path.truncate(depth);
        path.push(name);
        if rule.forbids(name) {
            found.push(path.join(" -> "));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: Rule = Rule { package: "echoline", ours: &[], never: &["clap"] };

    #[test]
    fn a_forbidden_crate_is_named_with_the_path_that_leads_to_it() {
        let tree =
            "0echoline v0.1.0 (/somewhere)\n1dns-lookup v4.0.2\n2libc v0.2.1\n1helper v1.0.0\n2clap v4.6.0\n";
        assert_eq!(forbidden_paths(&LIBRARY, tree), ["echoline -> helper -> clap"]);
    }

    #[test]
    fn a_crate_of_ours_that_no_rule_lists_is_forbidden() {
        let tree = "0echoline v0.1.0\n1echoline-server v0.1.0\n";
        assert_eq!(forbidden_paths(&LIBRARY, tree), ["echoline -> echoline-server"]);
    }

    #[test]
    fn an_asynchronous_runtime_is_forbidden_everywhere() {
        let tree = "0echoline v0.1.0\n1tokio v1.50.0\n";
        assert_eq!(forbidden_paths(&LIBRARY, tree), ["echoline -> tokio"]);
    }

    #[test]
    fn permitted_crates_leave_no_path() {
        let tree = "0echoline v0.1.0\n1memchr v2.8.0\n1socket2 v0.6.0\n2libc v0.2.0 (*)\n";
        assert!(forbidden_paths(&LIBRARY, tree).is_empty());
    }
}
