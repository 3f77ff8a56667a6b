//! A line chart as SVG. Colours are classes, so that the page's light and dark styles apply.

use std::fmt::Write;

use crate::bench::figures::{rounded, short};

pub(super) enum Scale {
    /// From zero.
    Linear,
    Log,
}

pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    /// Ascending in x.
    pub(super) points: Vec<(f64, f64)>,
}

pub(super) struct Chart {
    /// Read out by screen readers.
    pub(super) title: &'static str,
    pub(super) y: Scale,
    /// Where the x axis is marked; marks beyond the points are left out.
    pub(super) x_ticks: Vec<(f64, String)>,
    pub(super) series: Vec<Series>,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 30.0;

impl Chart {
    pub(super) fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let Some((x_min, x_max)) = bounds(all().map(|(x, _)| x)) else {
            return "<p class=\"soft\">Nothing was measured.</p>".to_owned();
        };
        let (y_low, y_high) = bounds(all().map(|(_, y)| y)).unwrap_or((0.0, 1.0));
        let y_ticks = self.y_ticks(y_low, y_high);
        let (first, last) = (y_ticks[0], y_ticks[y_ticks.len() - 1]);
        let x = |at: f64| LEFT + (WIDTH - LEFT - RIGHT) * part(at, x_min, x_max);
        let y = |at: f64| {
            let share = match self.y {
                Scale::Linear => part(at, first, last),
                Scale::Log => part(at.max(first).log10(), first.log10(), last.log10()),
            };
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
        };
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", self.title);
        // Writing to a string cannot fail.
        for tick in y_ticks {
            let label = if matches!(self.y, Scale::Log) { short(tick) } else { rounded(tick) };
            let (at, right) = (y(tick), WIDTH - RIGHT);
            let _ = write!(
                svg,
                "<line class=\"rule\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>"
            );
            let (edge, base) = (LEFT - 8.0, at + 4.0);
            let _ = write!(svg, "<text x=\"{edge}\" y=\"{base:.1}\" text-anchor=\"end\">{label}</text>");
        }
        for (at, label) in self.x_ticks.iter().filter(|(at, _)| (x_min..=x_max).contains(at)) {
            let (at, base) = (x(*at), HEIGHT - 8.0);
            let anchor = if at > WIDTH - 60.0 { "end" } else { "middle" };
            let _ = write!(svg, "<text x=\"{at:.1}\" y=\"{base}\" text-anchor=\"{anchor}\">{label}</text>");
        }
        for (n, series) in (0_u32..).zip(&self.series) {
            self.draw(&mut svg, series, LEFT + 150.0 * f64::from(n), &x, &y);
        }
        svg.push_str("</svg>");
        svg
    }

    fn draw(
        &self,
        svg: &mut String,
        series: &Series,
        key: f64,
        x: &dyn Fn(f64) -> f64,
        y: &dyn Fn(f64) -> f64,
    ) {
        let Series { name, class, points } = series;
        let _ = write!(svg, "<rect class=\"key {class}\" x=\"{key}\" y=\"6\" width=\"14\" height=\"4\"/>");
        let _ = write!(svg, "<text x=\"{}\" y=\"12\">{name}</text>", key + 20.0);
        if let [(at, value)] = points[..] {
            let _ = write!(
                svg,
                "<circle class=\"key {class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
                x(at),
                y(value)
            );
            return;
        }
        let places: Vec<_> =
            points.iter().map(|&(at, value)| format!("{:.1},{:.1}", x(at), y(value))).collect();
        let _ = write!(svg, "<polyline class=\"line {class}\" points=\"{}\"/>", places.join(" "));
    }

    /// Round values from at or below `low` (from 0 on a linear scale) to at or above `high`; at least two.
    fn y_ticks(&self, low: f64, high: f64) -> Vec<f64> {
        match self.y {
            Scale::Linear => {
                let step = round_up(high.max(1.0) / 5.0);
                (0..=5).map(|n| f64::from(n) * step).take_while(|&tick| tick < high + step).collect()
            }
            Scale::Log => {
                let (low, high) = (low.max(0.001), high.max(0.001));
                let steps =
                    (-3..12).flat_map(|power| [1.0, 2.0, 5.0].map(|digit: f64| digit * 10_f64.powi(power)));
                let steps: Vec<f64> = steps.collect();
                let first = steps.iter().rposition(|&step| step <= low).unwrap_or(0);
                let last =
                    steps.iter().position(|&step| step >= high).unwrap_or(steps.len() - 1).max(first + 1);
                let range = &steps[first..=last.min(steps.len() - 1)];
                if range.len() <= 8 { range.to_vec() } else { decades(range) }
            }
        }
    }
}

/// The ends, and the powers of ten between.
fn decades(steps: &[f64]) -> Vec<f64> {
    let end = steps.len() - 1;
    let keep =
        |&(n, step): &(usize, &f64)| n == 0 || n == end || (step.log10() - step.log10().round()).abs() < 1e-9;
    steps.iter().enumerate().filter(keep).map(|(_, &step)| step).collect()
}

/// The next of 1, 2, 5, 10 ... at or above.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|&step| step >= value).unwrap_or(value)
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

/// Where `at` lies between `from` (0) and `to` (1).
fn part(at: f64, from: f64, to: f64) -> f64 {
    if to > from { (at - from) / (to - from) } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_point_lies_inside_the_frame(points in prop::collection::vec((0.0..1e6_f64, 0.0..1e10_f64), 0..50), log: bool) {
            let mut points = points;
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let y = if log { Scale::Log } else { Scale::Linear };
            let many = points.len() > 1;
            let chart = Chart { title: "t", y, x_ticks: Vec::new(), series: vec![Series { name: "s", class: "one", points }] };
            let svg = chart.svg();
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
            if many {
                let places = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
                for place in places.split(' ') {
                    let (x, y) = place.split_once(',').unwrap();
                    let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                    prop_assert!((LEFT - 0.1..=WIDTH - RIGHT + 0.1).contains(&x));
                    prop_assert!((TOP - 0.1..=HEIGHT - BOTTOM + 0.1).contains(&y), "{}", y);
                }
            }
        }
    }
}
