//! Asks why a host cannot be reached: `cargo run -p echoline-check --example why -- example.org:443`

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use echoline_check::{Cancel, Options, run};

    let host = std::env::args().nth(1).ok_or("give HOST:PORT")?;
    let report = run(&Options::host(host.parse()?), &Cancel::new());
    println!("{} [{}, {}]", report.verdict, report.verdict.code(), report.verdict.certainty());
    for step in report.verdict.steps() {
        println!("  next  {step}");
    }
    for step in &report.steps {
        println!("{:<4}  {}", step.state, step.name());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
