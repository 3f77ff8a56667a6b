//! `cargo xtask fuzz`: builds the targets of `fuzz/` with libFuzzer and AddressSanitizer and lets each look for a
//! while for an input that breaks it.
//!
//! The flags are those of cargo-fuzz. They are hidden on the stable compiler, which is the one that ships.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::run;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run these targets alone: names of files in fuzz/fuzz_targets
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Give this one input to a target instead, such as one that a run found
    #[arg(long, value_name = "FILE", conflicts_with = "seconds")]
    input: Option<PathBuf>,
}

impl Default for Args {
    fn default() -> Self {
        Self { targets: Vec::new(), seconds: 30, input: None }
    }
}

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Coverage counters for libFuzzer, and every access to memory checked.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-sanitizer-coverage-stack-depth \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Zsanitizer=address --cfg fuzzing";
/// An input has at most so many bytes.
const MAX_LEN: u32 = 4096;
/// What one target may have in memory; the sanitizer's own tables count.
const MAX_MIB: u32 = 2048;
/// What takes longer for one input counts as a crash.
const MAX_SECONDS: u32 = 10;
/// Lines of a failed run that are shown.
const SHOWN: usize = 60;

pub(crate) fn run(args: &Args) -> Result<()> {
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        bail!("the sanitizer's runtime comes with {TARGET} alone; leave this out with `ci --skip fuzz`");
    }
    let all = targets()?;
    if let Some(unknown) = args.targets.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzz target {unknown}; there are: {}", all.join(", "));
    }
    let chosen = if args.targets.is_empty() { all } else { args.targets.clone() };
    if let Some(input) = &args.input {
        let [target] = &chosen[..] else { bail!("name the one target that --input is for") };
        // As seen from here: the target runs at the top of the workspace.
        let input = input.canonicalize().with_context(|| format!("cannot find {}", input.display()))?;
        build(&chosen)?;
        return run::shown(Command::new(binary(target)).current_dir(run::root()).arg(input));
    }
    build(&chosen)?;
    let (queue, failed) = (Mutex::new(chosen.iter()), Mutex::new(Vec::new()));
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(target) = next(&queue) {
                    if let Err(error) = fuzz(target, args.seconds) {
                        eprintln!("{target}: {error:#}");
                        failed.lock().expect("no holder panics").push(target.as_str());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no holder panics");
    if failed.is_empty() { Ok(()) } else { bail!("these fuzz targets failed: {}", failed.join(", ")) }
}

/// Takes the lock for the taking alone.
fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().expect("no holder panics").next()
}

/// The names of all targets, in order.
fn targets() -> Result<Vec<String>> {
    let directory = run::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str());
        names.extend(name.filter(|_| path.extension().is_some_and(|end| end == "rs")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn build(targets: &[String]) -> Result<()> {
    let mut cargo = run::cargo();
    cargo.args(["build", "--release", "--quiet", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    cargo.args(["--target", TARGET, "--target-dir", "target/fuzz"]);
    for target in targets {
        cargo.args(["--bin", target]);
    }
    run::shown(cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS))
}

fn binary(target: &str) -> PathBuf {
    run::root().join("target/fuzz").join(TARGET).join("release").join(target)
}

/// Runs one target and says in one line what it did; a failure shows the end of its log and how to repeat it.
fn fuzz(target: &str, seconds: u32) -> Result<()> {
    let root = run::root();
    let own = |kind: &str| -> Result<PathBuf> {
        let directory = root.join("target/fuzz").join(kind).join(target);
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(directory)
    };
    let (corpus, artifacts, log) = (own("corpus")?, own("artifacts")?, own("log")?.join("last"));
    let seeds = root.join("fuzz/seeds").join(target);
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(binary(target));
    command
        .current_dir(&root)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_LEN}"))
        .arg(format!("-rss_limit_mb={MAX_MIB}"))
        .arg(format!("-timeout={MAX_SECONDS}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1");
    let words = root.join("fuzz/words").join(target);
    if words.exists() {
        command.arg(format!("-dict={}", words.display()));
    }
    // What is found goes into the first directory, the working one.
    command.arg(corpus).arg(seeds).stdout(output.try_clone()?).stderr(output);
    let status = command.status().with_context(|| format!("cannot start the target {target}"))?;
    let told = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let told = String::from_utf8_lossy(&told);
    match Figures::of(&told).filter(|_| status.success()) {
        Some(figures) => {
            println!("{target}: {figures}");
            Ok(())
        }
        None => bail!("{status}; {}", failure(target, &told, &root)),
    }
}

/// The end of the log, and the command that does it again.
fn failure(target: &str, told: &str, root: &Path) -> String {
    let lines: Vec<&str> = told.lines().collect();
    let shown = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
    let input = told.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
    let again = match input.map(|path| Path::new(path).strip_prefix(root).unwrap_or(Path::new(path))) {
        Some(path) => format!("again: cargo xtask fuzz {target} --input {}", path.display()),
        None => format!("no input was written; again: cargo xtask fuzz {target}"),
    };
    format!("the end of its log:\n{shown}\n{again}")
}

/// What libFuzzer says about a run that found nothing.
#[derive(Debug, PartialEq)]
struct Figures {
    runs: u64,
    per_second: u64,
    /// Places in the code that were reached.
    coverage: u64,
    /// Inputs that each reach something that no other does.
    kept: u64,
}

impl Figures {
    fn of(told: &str) -> Option<Self> {
        let after = |line: &str, word: &str| -> Option<u64> {
            let digits = line.split_once(word)?.1.trim_start();
            digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let done = told.lines().rev().find(|line| line.starts_with('#') && line.contains("DONE"))?;
        Some(Self {
            runs: after(told, "stat::number_of_executed_units:")?,
            per_second: after(told, "stat::average_exec_per_sec:")?,
            coverage: after(done, "cov:")?,
            kept: after(done, "corp:")?,
        })
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { runs, per_second, coverage, kept } = self;
        write!(f, "{runs} runs, {per_second} runs/s, coverage {coverage}, {kept} inputs kept")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fuzz_target_is_built_and_has_seeds() {
        let manifest = fs::read_to_string(run::root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(targets.contains(&"framer".to_owned()));
        for target in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
            let seeds = run::root().join("fuzz/seeds").join(&target);
            assert!(fs::read_dir(&seeds).unwrap().next().is_some(), "{}", seeds.display());
        }
    }

    #[test]
    fn the_figures_of_a_run_are_read_from_its_log() {
        let told = "INFO: Running with entropic power schedule (0xFF, 100).\n\
            #2048\tpulse  cov: 100 ft: 200 corp: 30/400b lim: 4096 exec/s: 1024 rss: 50Mb\n\
            #81920\tDONE   cov: 312 ft: 987 corp: 118/2345b lim: 4096 exec/s: 40960 rss: 80Mb\n\
            Done 81920 runs in 2 second(s)\n\
            stat::number_of_executed_units: 81920\n\
            stat::average_exec_per_sec:     40960\n";
        let figures = Figures { runs: 81_920, per_second: 40_960, coverage: 312, kept: 118 };
        assert_eq!(Figures::of(told), Some(figures));
        assert_eq!(Figures::of("==1==ERROR: AddressSanitizer: heap-use-after-free"), None);
    }

    #[test]
    fn a_failure_says_how_to_repeat_it() {
        let told = "panicked\nTest unit written to /top/target/fuzz/artifacts/framer/crash-1\nBase64: AA==\n";
        let told = failure("framer", told, Path::new("/top"));
        assert!(
            told.ends_with("again: cargo xtask fuzz framer --input target/fuzz/artifacts/framer/crash-1")
        );
    }
}
