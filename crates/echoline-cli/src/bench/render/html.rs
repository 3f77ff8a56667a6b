//! The report as one page that needs no other file: figures, two charts, the options in effect.

use std::fmt::Write;
use std::path::Path;

use echoline_diagnosis::units::{count, grouped};
use echoline_diagnosis::{Diagnosis, code};

use super::svg::{Chart, Scale, Series};
use crate::bench::figures::{megabytes, rounded, short};
use crate::bench::report::Report;
use crate::bench::samples::{PERCENTILES, Samples};

/// Writes the page of `report` to `file`.
pub(in crate::bench) fn write(report: &Report, file: &Path) -> Result<(), Diagnosis> {
    std::fs::write(file, page(report)).map_err(|error| {
        let message = format!("cannot write the page {}", file.display());
        Diagnosis::new(code::OUTPUT, message)
            .caused_by(error)
            .next("name a file in a directory that takes it")
    })
}

const STYLE: &str = "
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1c2430; --soft: #5c6673; --rule: #d9dee5; --card: #f5f7fa;
  --one: #1f6feb; --two: #b4690e; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161c; --ink: #e4e9f0; --soft: #9aa5b3; --rule: #323a45;
  --card: #1a2029; --one: #6cb0ff; --two: #f0b35b; --bad: #ff8a80; } }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; } p { margin: .3rem 0; }
.soft { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem; }
.cards div { flex: 1 1 6.5rem; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: .6rem .8rem; }
.cards b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .9rem .2rem 0; text-align: right; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .rule { stroke: var(--rule); } svg .one { stroke: var(--one); } svg .two { stroke: var(--two); }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; } svg .key.one { fill: var(--one); } svg .key.two { fill: var(--two); }
";

fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    let target = escape(&report.target);
    writeln!(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(page, "<title>echoline bench: {target}</title>\n<style>{STYLE}</style>\n</head>\n<body>")?;
    writeln!(page, "<h1>echoline bench: {target}</h1>")?;
    if report.embedded {
        writeln!(page, "<p class=\"soft\">The server ran on other threads of the same process.</p>")?;
    }
    cards(page, report)?;
    verdict(page, report)?;
    writeln!(page, "<h2>Latency by percentile</h2>\n{}", latency_chart(report))?;
    percentiles(page, report)?;
    writeln!(page, "<h2>Throughput over time</h2>\n{}", throughput_chart(report))?;
    tries(page, report)?;
    options(page, report)?;
    writeln!(page, "</body>\n</html>")
}

fn cards(page: &mut String, report: &Report) -> std::fmt::Result {
    let p = |value: Option<f64>| value.map_or("-".to_owned(), |us| format!("{} us", short(us)));
    let cards = [
        ("lines/s", rounded(report.lines_per_s)),
        ("each way", megabytes(report.bytes_per_s)),
        ("p50", p(report.latency_us.p50)),
        ("p99", p(report.latency_us.p99)),
        ("max", p(report.latency_us.max)),
        ("errors", grouped(report.errors.total)),
    ];
    write!(page, "<div class=\"cards\">")?;
    for (name, value) in cards {
        write!(page, "<div><span class=\"soft\">{name}</span><b>{value}</b></div>")?;
    }
    let lines = grouped(report.lines);
    writeln!(page, "</div>\n<p class=\"soft\">{lines} lines in {:.2} s.</p>", report.elapsed_s)
}

fn verdict(page: &mut String, report: &Report) -> std::fmt::Result {
    let errors = &report.errors;
    if errors.of_bytes() == 0 {
        writeln!(page, "<p>Every echoed byte is identical.</p>")?;
    } else {
        writeln!(
            page,
            "<p class=\"bad\">Not an exact echo: {} lines lost, {} altered, {} surplus, {} swapped.</p>",
            grouped(errors.lost),
            grouped(errors.altered),
            grouped(errors.surplus),
            grouped(errors.swapped)
        )?;
    }
    for (code, number) in &errors.by_code {
        writeln!(page, "<p class=\"bad\">{}: {}</p>", count(*number, "connection"), escape(code))?;
    }
    for missed in &report.missed {
        let (required, measured) = (escape(&missed.required), escape(&missed.measured));
        writeln!(page, "<p class=\"bad\">Missed {required}: {measured}</p>")?;
    }
    for warning in &report.warnings {
        writeln!(page, "<p>Warning: {}</p>", escape(&warning.message))?;
    }
    if report.interrupted { writeln!(page, "<p>Interrupted: figures up to then.</p>") } else { Ok(()) }
}

/// Twenty points for each nine: 0, 50, 90, 99, 99.9 ... stand at equal distances.
fn latency_chart(report: &Report) -> String {
    let curve = |text: &str| -> Vec<(f64, f64)> {
        let Ok(samples) = Samples::decode(text) else { return Vec::new() };
        let points = (0..=120).map(|step| f64::from(step) / 20.0);
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
        let most = (samples.count() as f64).log10();
        let at = |nines: f64| Some((nines, samples.percentile_us(100.0 * (1.0 - 10_f64.powf(-nines)))?));
        points.take_while(|&nines| nines <= most.max(0.3)).filter_map(at).collect()
    };
    let mut series =
        vec![Series { name: "response time", class: "one", points: curve(&report.histograms.latency) }];
    if report.options.rate_per_s.is_some() {
        series.push(Series { name: "service time", class: "two", points: curve(&report.histograms.service) });
    }
    let ticks = [
        (0.0, "0 %"),
        (0.301, "50 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
        (5.0, "99.999 %"),
    ];
    let ticks = ticks.map(|(at, name)| (at, name.to_owned())).to_vec();
    Chart { title: "Microseconds at each percentile", y: Scale::Log, x_ticks: ticks, series }.svg()
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn throughput_chart(report: &Report) -> String {
    let rows = &report.per_second;
    let mut points: Vec<(f64, f64)> = rows.iter().map(|row| (row.second as f64, row.lines as f64)).collect();
    // What is left after the last whole second is no rate.
    if points.len() > 1 && report.elapsed_s < rows.len() as f64 - 0.02 {
        points.pop();
    }
    let every = points.len().div_ceil(10).max(1);
    let tick = |point: &(f64, f64)| (point.0, format!("{} s", point.0));
    let x_ticks = points.iter().skip(every - 1).step_by(every).map(tick).collect();
    let series = vec![Series { name: "lines a second", class: "one", points }];
    Chart { title: "Lines a second", y: Scale::Linear, x_ticks, series }.svg()
}

fn percentiles(page: &mut String, report: &Report) -> std::fmt::Result {
    write!(page, "<div class=\"wide\"><table><tr><th>us</th>")?;
    for (name, _) in PERCENTILES {
        write!(page, "<th>{name}</th>")?;
    }
    writeln!(page, "<th>count</th></tr>")?;
    let named =
        [("response", &report.latency_us), ("service", &report.service_us), ("connect", &report.connect_us)];
    for (name, times) in named {
        write!(page, "<tr><td>{name}</td>")?;
        for value in times.all() {
            write!(page, "<td>{}</td>", value.map_or("-".to_owned(), short))?;
        }
        writeln!(page, "<td>{}</td></tr>", grouped(times.count))?;
    }
    writeln!(page, "</table></div>")
}

fn tries(page: &mut String, report: &Report) -> std::fmt::Result {
    if report.tries.is_empty() {
        return Ok(());
    }
    writeln!(page, "<h2>Search for the capacity</h2>")?;
    writeln!(page, "<table><tr><th>lines/s asked</th><th>reached</th><th>p99 us</th><th>kept</th></tr>")?;
    for tried in &report.tries {
        let (p99, kept) = (tried.p99_us.map_or("-".to_owned(), short), if tried.kept { "yes" } else { "no" });
        let (asked, reached) = (grouped(tried.rate_per_s), rounded(tried.lines_per_s));
        writeln!(page, "<tr><td>{asked}</td><td>{reached}</td><td>{p99}</td><td>{kept}</td></tr>")?;
    }
    writeln!(page, "</table>")
}

fn options(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "<h2>Options in effect</h2>\n<table>")?;
    let value = serde_json::to_value(&report.options).unwrap_or_default();
    for (name, value) in value.as_object().into_iter().flatten() {
        let value = match (value, value.get("min"), value.get("max")) {
            (_, Some(min), Some(max)) if min == max => min.to_string(),
            (_, Some(min), Some(max)) => format!("{min} to {max}"),
            (serde_json::Value::Null, ..) => "-".to_owned(),
            (serde_json::Value::String(text), ..) => text.clone(),
            (other, ..) => other.to_string(),
        };
        writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(name), escape(&value))?;
    }
    let cost = report.generator.cpu_us_per_line.map_or("-".to_owned(), |us| format!("{us:.2}"));
    writeln!(page, "<tr><td>generator: CPU us a line</td><td>{cost}</td></tr>\n</table>")
}

/// As text of a page; and nobody's terminal is steered who looks at the file in one.
fn escape(text: &str) -> String {
    let text = echoline_diagnosis::escape::escape(text.as_bytes()).with_plain_backslash().to_string();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
