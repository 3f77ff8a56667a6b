//! Whether what the server counted agrees with what the clients did.

use serde_json::Value;

use super::load::Tally;

/// Endings that a soak may cause; any other is the server's own doing.
const EXPECTED_ENDINGS: [&str; 2] = ["ended_done", "ended_reset"];
/// Anything but 0 here is wrong too.
const MUST_BE_ZERO: [&str; 2] = ["accept_shortages", "log_dropped"];

/// Each contradiction between the server's last record and the tally, in words. What a client that broke off had
/// sent may have been read by the server or not, so some counters have a range.
pub(super) fn disagreements(served: &Value, tally: &Tally) -> Vec<String> {
    let mut found = Vec::new();
    let mut within = |name: &str, low: u64, high: u64| match served[name].as_u64() {
        None => found.push(format!("the last record has no number {name}")),
        Some(value) if (low..=high).contains(&value) => {}
        Some(value) if low == high => found.push(format!("{name} is {value} and should be {low}")),
        Some(value) => found.push(format!("{name} is {value} and should be between {low} and {high}")),
    };
    // A client that was gone before it was accepted is accepted by nobody.
    within("accepted", tally.connections - tally.broken_off, tally.connections);
    within("bytes_in", tally.sent_to_the_end, tally.sent);
    let bytes_in = served["bytes_in"].as_u64().unwrap_or(tally.sent);
    within("bytes_out", tally.compared, bytes_in);
    within("lines", tally.counted_back, tally.counted_sent);
    within("ended_reset", 0, tally.broken_off);
    for name in MUST_BE_ZERO {
        within(name, 0, 0);
    }
    let fields = served.as_object().into_iter().flatten();
    let endings: Vec<_> = fields.clone().filter(|(name, _)| name.starts_with("ended_")).collect();
    for (name, _) in fields.filter(|(name, _)| is_unexpected(name)) {
        within(name, 0, 0);
    }
    // Older records leave the ordinary ending out, and nothing is left to add up then.
    if served.get("ended_done").is_some() {
        let sum: u64 = endings.iter().filter_map(|(_, count)| count.as_u64()).sum();
        if served["accepted"].as_u64() != Some(sum) {
            found.push(format!("{sum} connections ended, of {} accepted", served["accepted"]));
        }
    }
    found
}

fn is_unexpected(name: &str) -> bool {
    name.starts_with("refused_") || (name.starts_with("ended_") && !EXPECTED_ENDINGS.contains(&name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tally() -> Tally {
        Tally {
            connections: 10,
            broken_off: 3,
            sent: 5000,
            sent_to_the_end: 4000,
            compared: 3900,
            counted_sent: 70,
            counted_back: 60,
            ..Tally::default()
        }
    }

    fn sound() -> Value {
        json!({
            "accepted": 10, "bytes_in": 4500, "bytes_out": 4400, "lines": 65, "refused_at_limit": 0,
            "accept_shortages": 0, "ended_done": 8, "ended_reset": 2, "ended_idle": 0, "log_dropped": 0
        })
    }

    #[test]
    fn counters_within_what_the_clients_did_agree() {
        assert_eq!(disagreements(&sound(), &tally()), [""; 0]);
        let mut older = sound();
        older.as_object_mut().expect("an object").remove("ended_done");
        assert_eq!(disagreements(&older, &tally()), [""; 0]);
    }

    #[test]
    fn each_counter_that_is_off_is_named() {
        let off = [
            ("accepted", 11),
            ("accepted", 6),
            ("bytes_in", 3999),
            ("bytes_in", 5001),
            ("bytes_out", 3899),
            ("bytes_out", 4501),
            ("lines", 59),
            ("lines", 71),
            ("ended_reset", 4),
            ("ended_idle", 1),
            ("refused_at_limit", 1),
            ("accept_shortages", 1),
            ("log_dropped", 1),
            ("ended_done", 7),
        ];
        for (name, value) in off {
            let mut served = sound();
            served[name] = value.into();
            let found = disagreements(&served, &tally());
            let about = if name == "ended_done" { "9 connections ended, of 10" } else { name };
            assert!(found.iter().any(|text| text.contains(about)), "{name} {value}: {found:?}");
        }
    }

    #[test]
    fn a_record_without_a_counter_is_no_agreement() {
        assert!(!disagreements(&json!({}), &tally()).is_empty());
    }
}
