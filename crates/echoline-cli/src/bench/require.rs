//! `--require p99=5ms,errors=0`: bounds that a run must keep.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use echoline_diagnosis::units::{Span, count, grouped};

use super::figures::rounded;
use super::report::{Missed, Report};
use super::samples::PERCENTILES;

/// One bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    /// A percentile of the response time, at most so long; 100 is the maximum.
    Percentile(f64, Duration),
    /// Errors of every kind, at most so many.
    Errors(u64),
    /// Lines a second, at least so many.
    Rate(u64),
}

/// All bounds of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Requirement(pub(super) Vec<Bound>);

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(bound).collect::<Result<_, _>>().map(Self)
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    let (name, value) =
        text.trim().split_once('=').ok_or_else(|| format!("\"{text}\" is no bound; p99=5ms is one"))?;
    let number = || value.parse().map_err(|_| format!("\"{value}\" in {text} is no whole number"));
    match name {
        "errors" => Ok(Bound::Errors(number()?)),
        "rate" => Ok(Bound::Rate(number()?)),
        _ => {
            let percent = PERCENTILES.iter().find(|(known, _)| *known == name);
            let &(_, percent) = percent.ok_or_else(|| {
                let known = PERCENTILES.map(|(known, _)| known).join(", ");
                format!("\"{name}\" cannot be required; use {known}, errors or rate")
            })?;
            let Span(limit) = value.parse().map_err(|error| format!("{text}: {error}"))?;
            Ok(Bound::Percentile(percent, limit))
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Errors(most) => write!(f, "errors={most}"),
            Self::Rate(least) => write!(f, "rate={least}"),
            Self::Percentile(percent, limit) => {
                let known = PERCENTILES.iter().find(|&&(_, known)| known.total_cmp(&percent).is_eq());
                write!(f, "{}={}", known.map_or("?", |(name, _)| name), Span(limit))
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&bounds.join(","))
    }
}

impl Requirement {
    /// What `report` did not keep. A percentile of nothing is missed.
    pub(super) fn missed(&self, report: &Report) -> Vec<Missed> {
        self.0.iter().filter_map(|bound| bound.missed(report)).collect()
    }

    pub(super) fn bounds_errors(&self) -> bool {
        self.0.iter().any(|bound| matches!(bound, Bound::Errors(_)))
    }
}

impl Bound {
    fn missed(self, report: &Report) -> Option<Missed> {
        let (kept, measured) = match self {
            Self::Errors(most) => (report.errors.total <= most, grouped(report.errors.total)),
            #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^53")]
            Self::Rate(least) => (report.lines_per_s >= least as f64, rounded(report.lines_per_s)),
            // Lines that never left would have waited longest.
            Self::Percentile(..) if report.errors.unsent > 0 => {
                (false, format!("{} never left", count(report.errors.unsent, "line")))
            }
            Self::Percentile(percent, limit) => match report.latency_us.at(percent) {
                Some(us) => (us <= limit.as_secs_f64() * 1e6, format!("{us} us")),
                None => (false, "no line came back".to_owned()),
            },
        };
        (!kept).then(|| Missed { required: self.to_string(), measured })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_bound() -> impl Strategy<Value = Bound> {
        prop_oneof![
            any::<u64>().prop_map(Bound::Errors),
            any::<u64>().prop_map(Bound::Rate),
            (0..PERCENTILES.len(), 1..u64::MAX)
                .prop_map(|(n, ns)| Bound::Percentile(PERCENTILES[n].1, Duration::from_nanos(ns))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(bounds in prop::collection::vec(any_bound(), 1..5)) {
            let requirement = Requirement(bounds);
            prop_assert_eq!(requirement.to_string().parse::<Requirement>().unwrap(), requirement);
        }

        #[test]
        fn any_text_is_a_requirement_or_an_error(text in ".*") {
            let _ = text.parse::<Requirement>();
        }
    }

    #[test]
    fn an_error_says_what_would_be_right() {
        let error = |text: &str| text.parse::<Requirement>().unwrap_err();
        assert_eq!(
            error("p98=5ms"),
            "\"p98\" cannot be required; use p50, p90, p99, p99.9, p99.99, max, errors or rate"
        );
        assert_eq!(error("p99"), "\"p99\" is no bound; p99=5ms is one");
        assert_eq!(error("p99=5"), "p99=5: a time needs its unit: 5s or 5ms");
        assert_eq!(error("errors=few"), "\"few\" in errors=few is no whole number");
    }
}
