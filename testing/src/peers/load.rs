//! The load: `echoline bench`, pinned to the core that the server does not have.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::workload::Shape;
use crate::running::{cores, pinned};

/// What a load saw from its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) lines: u64,
    pub(crate) lines_per_s: f64,
    pub(crate) p99_us: f64,
    /// Codes of what the generator itself distrusts.
    pub(crate) warnings: Vec<String>,
}

/// Something that sends lines to an address for a while and compares what comes back.
pub(crate) trait Load {
    fn apply(&self, shape: Shape, to: SocketAddr, duration: Duration) -> Result<Seen>;
}

pub(crate) struct Bench {
    pub(crate) binary: PathBuf,
}

impl Load for Bench {
    fn apply(&self, shape: Shape, to: SocketAddr, duration: Duration) -> Result<Seen> {
        let mut bench = Command::new(&self.binary);
        bench.args([
            "bench",
            &to.ip().to_string(),
            &to.port().to_string(),
            "--json",
            "--quiet",
            "--threads",
            "1",
        ]);
        // Without a warm-up, so that every line the server was charged for is counted.
        bench.args(["--warm-up", "0s", "--duration", &format!("{}ms", duration.as_millis())]);
        bench.args(["--connections", &shape.connections.to_string(), "--size", &shape.size.to_string()]);
        match shape.churn {
            true => bench.arg("--churn"),
            false => bench.args(["--depth", &shape.depth.to_string()]),
        };
        let mut command = pinned(&bench, &[cores().load]);
        let output = command.stdin(Stdio::null()).output().context("cannot start `taskset`")?;
        read(&output.stdout).with_context(|| {
            let talk = String::from_utf8_lossy(&output.stderr);
            format!(
                "echoline bench ended with {}: {}",
                output.status,
                talk.lines().next().unwrap_or("").escape_debug()
            )
        })
    }
}

/// The part of `echoline bench --json` that we use.
#[derive(Deserialize)]
struct Document {
    lines: u64,
    lines_per_s: f64,
    latency_us: Latency,
    errors: Errors,
    #[serde(default)]
    warnings: Vec<Warning>,
}

#[derive(Deserialize)]
struct Latency {
    p99: f64,
}

#[derive(Deserialize)]
struct Errors {
    total: u64,
    #[serde(flatten)]
    kinds: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Warning {
    code: String,
}

fn read(json: &[u8]) -> Result<Seen> {
    let document: Document =
        serde_json::from_slice(json).context("echoline bench gave a report that is none")?;
    if document.errors.total > 0 {
        let kinds =
            document.errors.kinds.iter().filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
        bail!("{}", kinds.map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", "));
    }
    if document.lines == 0 {
        bail!("not one line came back");
    }
    let warnings = document.warnings.into_iter().map(|warning| warning.code).collect();
    Ok(Seen {
        lines: document.lines,
        lines_per_s: document.lines_per_s,
        p99_us: document.latency_us.p99,
        warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_without_errors_gives_its_figures() {
        let json =
            br#"{"lines":10,"lines_per_s":5.0,"latency_us":{"p50":1,"p99":7.5},"errors":{"total":0,"lost":0,
            "by_code":{}},"warnings":[{"code":"generator-bound","message":"m"}]}"#;
        let wanted =
            Seen { lines: 10, lines_per_s: 5.0, p99_us: 7.5, warnings: vec!["generator-bound".to_owned()] };
        assert_eq!(read(json).expect("a report"), wanted);
    }

    #[test]
    fn lost_lines_are_a_reason_and_no_figure() {
        let json = br#"{"lines":10,"lines_per_s":5.0,"latency_us":{"p99":7.5},
            "errors":{"total":3,"lost":2,"altered":0,"surplus":1,"by_code":{}}}"#;
        assert_eq!(read(json).expect_err("an error").to_string(), "lost 2, surplus 1");
    }
}
