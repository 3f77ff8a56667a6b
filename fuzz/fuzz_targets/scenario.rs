//! Any text as a scenario: an error on one line, or a scenario whose steps have their lines.

#![no_main]

use echoline_lab::Scenario;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Scenario::parse(text, "x.toml") {
        Ok(scenario) => {
            let lines = text.lines().count();
            assert!(!scenario.steps.is_empty() && scenario.steps.len() <= 100);
            assert!(scenario.steps.iter().all(|step| (1..=lines).contains(&step.line)));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
});
