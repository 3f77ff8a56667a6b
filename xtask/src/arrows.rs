//! The arrows of ARCHITECTURE.md: between crates, as cargo resolves them, and between modules.

use anyhow::{Result, bail};

use crate::run;
use crate::structure::circles;

/// What one of our crates may depend on, directly or through others.
struct Rule {
    package: &'static str,
    /// Those of our own crates that it may reach
    ours: &'static [&'static str],
    /// Crates that it must not reach
    never: &'static [&'static [&'static str]],
}

/// No default build brings an asynchronous runtime: data paths are threads and engines.
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol", "async-executor", "monoio", "glommio", "compio"];

/// The command line and the terminal belong to the program.
const TERMINAL: &[&str] = &["clap", "indicatif", "rustyline"];

/// What moves the server's bytes, and its log.
const SERVER: &[&str] = &["io-uring", "mio", "tracing"];

/// Everything else that opens sockets and files, or asks the system.
const SYSTEM: &[&str] =
    &["dns-lookup", "if-addrs", "libc", "nix", "procfs", "rustix", "signal-hook", "socket2"];

/// One row for each crate. A row may be here before its crate is.
const RULES: &[Rule] = &[
    Rule { package: "echoline-diagnosis", ours: &[], never: &[TERMINAL, SERVER, SYSTEM] },
    Rule { package: "echoline", ours: &["echoline-diagnosis"], never: &[TERMINAL, SERVER] },
    Rule { package: "echoline-sys", ours: &[], never: &[TERMINAL, SERVER] },
    // Bytes in, bytes out: only its cryptography may call the system.
    Rule { package: "echoline-tls", ours: &["echoline-diagnosis"], never: &[TERMINAL, SERVER, &["socket2"]] },
    Rule {
        package: "echoline-server",
        ours: &["echoline", "echoline-diagnosis", "echoline-sys", "echoline-tls"],
        never: &[TERMINAL],
    },
    Rule { package: "echoline-admin", ours: &["echoline-diagnosis"], never: &[TERMINAL, SERVER] },
    Rule { package: "echoline-portmap", ours: &["echoline-diagnosis"], never: &[TERMINAL, SERVER] },
    Rule {
        package: "echoline-check",
        ours: &["echoline", "echoline-diagnosis", "echoline-sys", "echoline-tls"],
        never: &[TERMINAL, SERVER],
    },
    Rule { package: "echoline-lab", ours: &["echoline-diagnosis"], never: &[TERMINAL, SERVER] },
    Rule {
        package: "echoline-mesh",
        ours: &[
            "echoline",
            "echoline-admin",
            "echoline-check",
            "echoline-diagnosis",
            "echoline-server",
            "echoline-sys",
            "echoline-tls",
        ],
        never: &[TERMINAL],
    },
    Rule {
        package: "echoline-cli",
        ours: &[
            "echoline",
            "echoline-admin",
            "echoline-check",
            "echoline-diagnosis",
            "echoline-lab",
            "echoline-mesh",
            "echoline-portmap",
            "echoline-server",
            "echoline-sys",
            "echoline-tls",
        ],
        never: &[],
    },
    Rule { package: "echoline-testing", ours: &[], never: &[] },
];

/// Fails with every arrow that points where it must not, spelled as a path.
pub(crate) fn check() -> Result<()> {
    between_crates()?;
    circles::check()
}

fn between_crates() -> Result<()> {
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
        self.never.iter().any(|crates| crates.contains(&name)) || RUNTIMES.contains(&name)
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

    const LIBRARY: Rule = Rule { package: "echoline", ours: &[], never: &[&["mio"], &["clap"]] };

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

    /// So no two crates can reach each other.
    #[test]
    fn each_crate_has_one_rule_and_may_reach_all_that_its_dependencies_may_reach() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(RULES[..at].iter().all(|other| other.package != rule.package), "{}", rule.package);
            for reached in RULES.iter().filter(|other| rule.ours.contains(&other.package)) {
                assert!(!reached.ours.contains(&rule.package), "{} and {}", rule.package, reached.package);
                assert!(
                    reached.ours.iter().all(|further| rule.ours.contains(further)),
                    "{} reaches {}, and so what that reaches",
                    rule.package,
                    reached.package
                );
            }
            assert!(
                rule.ours.iter().all(|name| RULES.iter().any(|other| other.package == *name)),
                "{} may reach a crate that has no rule",
                rule.package
            );
        }
    }

    #[test]
    fn what_the_design_keeps_apart_is_kept_apart() {
        for (package, reached) in [
            ("echoline-diagnosis", "echoline"),
            ("echoline-diagnosis", "clap"),
            ("echoline-diagnosis", "socket2"),
            ("echoline", "echoline-sys"),
            ("echoline-sys", "echoline-diagnosis"),
            ("echoline-server", "echoline-check"),
            ("echoline-check", "clap"),
            ("echoline-check", "rustyline"),
            ("echoline-check", "indicatif"),
            ("echoline-check", "echoline-server"),
            ("echoline-lab", "echoline"),
            ("echoline-lab", "echoline-cli"),
            ("echoline-cli", "tokio"),
        ] {
            let rule = RULES.iter().find(|rule| rule.package == package).unwrap();
            let tree = format!("0{package} v0.1.0\n1{reached} v1.0.0\n");
            assert_eq!(forbidden_paths(rule, &tree), [format!("{package} -> {reached}")]);
        }
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
