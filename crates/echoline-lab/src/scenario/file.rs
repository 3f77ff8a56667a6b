//! Scenarios as TOML.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{Act, Expect, Scenario, Step};
use crate::link;
use crate::topology::{Topology, TopologyError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    about: String,
    topology: Spanned<String>,
    step: Vec<Spanned<RawStep>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawStep {
    change: Option<String>,
    on: Option<String>,
    run: Option<String>,
    start: Option<String>,
    to: Option<String>,
    end: Option<String>,
    #[serde(default)]
    input: String,
    #[serde(default)]
    send: String,
    #[serde(default)]
    exit: i32,
    prints: Option<String>,
    #[serde(default)]
    shows: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    says: Vec<String>,
    silent: Option<String>,
    within: Option<String>,
}

/// A step that says nothing else may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_STEPS: usize = 100;

impl Scenario {
    /// Reads and checks a scenario; `file` is what errors call it.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn parse(text: &str, file: &str) -> Result<Self, TopologyError> {
        let line = |at: usize| text.get(..at).map_or(0, |before| before.matches('\n').count() + 1);
        let error = |line: usize, message: String| TopologyError { file: file.to_owned(), line, message };
        let raw: File = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |span| line(span.start));
            error(at, e.message().replace('\n', ", "))
        })?;
        let named = raw.topology.get_ref();
        // A text of several lines is a topology of the scenario's own.
        let topology = if named.contains('\n') {
            Topology::parse(named, &format!("{file}: its topology"))?
        } else {
            Topology::shipped(named).map_err(|e| error(line(raw.topology.span().start), e.to_string()))?
        };
        if raw.step.is_empty() || raw.step.len() > MOST_STEPS {
            return Err(error(0, format!("a scenario has 1 to {MOST_STEPS} steps")));
        }
        let mut steps = Vec::new();
        for raw in raw.step {
            let line = line(raw.span().start);
            let step =
                step(raw.into_inner(), line, &topology, &steps).map_err(|message| error(line, message))?;
            steps.push(step);
        }
        Ok(Self { name: raw.name, about: raw.about, topology, steps })
    }
}

fn step(raw: RawStep, line: usize, topology: &Topology, before: &[Step]) -> Result<Step, String> {
    let expect = Expect {
        exit: raw.exit,
        prints: raw.prints,
        shows: raw.shows,
        lacks: raw.lacks,
        says: raw.says,
        silent: raw.silent.as_deref().map_or(Ok(Duration::ZERO), duration)?,
        within: raw.within.as_deref().map_or(Ok(PATIENCE), duration)?,
    };
    let host = |on: Option<String>| {
        let on = on.ok_or("a command runs `on` a host")?;
        if topology.node(&on).is_none() {
            return Err(format!("no host of {} is called {on}", topology.name));
        }
        Ok(on)
    };
    let known = |name: String| {
        let started = |step: &Step| matches!(&step.act, Act::Start { name: other, .. } if *other == name);
        if before.iter().any(started) {
            Ok(name)
        } else {
            Err(format!("nothing before was started as `{name}`"))
        }
    };
    let act = match (raw.change, raw.run, raw.start, raw.to, raw.end) {
        (Some(change), None, None, None, None) => Act::Change(change.parse()?),
        (None, Some(command), None, None, None) => Act::Run { on: host(raw.on)?, command, input: raw.input },
        (None, Some(command), Some(name), None, None) => Act::Start { name, on: host(raw.on)?, command },
        (None, None, None, Some(to), None) => Act::Send { to: known(to)?, text: raw.send },
        (None, None, None, None, Some(name)) => Act::End { name: known(name)? },
        _ => {
            return Err(
                "a step is one of: `change`; `on` and `run`, with `start` to go on; `to` and `send`; `end`"
                    .into(),
            );
        }
    };
    Ok(Step { line, act, expect })
}

/// With the bound of a link's delay, a minute.
fn duration(text: &str) -> Result<Duration, String> {
    link::delay(text).ok_or_else(|| format!("`{text}` is no time up to 60s, such as 500ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"
name = "x"
about = "X."
topology = "pair"
[[step]]
on = "alice"
run = "cat"
start = "cat"
[[step]]
to = "cat"
send = "hello\n"
shows = ["hello"]
[[step]]
end = "cat"
"#;

    #[test]
    fn a_scenario_is_its_steps_with_their_lines() {
        let scenario = Scenario::parse(SOUND, "x.toml").expect("sound");
        assert_eq!(scenario.steps.iter().map(|step| step.line).collect::<Vec<_>>(), [5, 9, 13]);
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (from, to, line, word) in [
            ("\"pair\"", "\"pear\"", 4, "no such topology"),
            ("on = \"alice\"", "on = \"carol\"", 5, "carol"),
            ("to = \"cat\"", "to = \"dog\"", 9, "dog"),
            ("end = \"cat\"", "end = \"cat\"\nto = \"cat\"", 13, "one of"),
            ("end = \"cat\"", "change = \"link wire lost\"", 13, "lost"),
            ("end = \"cat\"", "end = \"cat\"\nwithin = \"2h\"", 13, "60s"),
            ("end = \"cat\"", "stop = \"cat\"", 14, "unknown field"),
        ] {
            let changed = SOUND.replacen(from, to, 1);
            let error = Scenario::parse(&changed, "x.toml").expect_err(to);
            assert!(error.message.contains(word) && error.line == line, "{to}: {error}");
        }
    }

    /// Found by the fuzzer: a name with an escaped line feed stood in the message as it was.
    #[test]
    fn an_error_is_one_line_without_controls_whatever_the_file_says() {
        for (from, to) in [
            ("to = \"cat\"", "to = \"d\\nog\\u001b[2J\""),
            ("on = \"alice\"", "on = \"d\\nog\\u001b[2J\""),
            ("\"pair\"", "\"d\\u000bog\\u001b[2J\""),
            ("end = \"cat\"", "end = \"cat\"\nwithin = \"d\\nog\\u001b[2J\""),
        ] {
            let error = Scenario::parse(&SOUND.replacen(from, to, 1), "x.toml").expect_err(to).to_string();
            assert!(error.contains("og\\u{1b}[2J") && !error.contains(char::is_control), "{error:?}");
        }
    }
}
