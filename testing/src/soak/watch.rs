//! What a process holds, from /proc (see proc(5)), over time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

/// What a process holds at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) files: usize,
    /// Resident set size in bytes.
    pub(super) resident: u64,
}

impl Sample {
    pub(super) fn take(process: u32, at: Duration) -> Result<Self> {
        Ok(Self { at, files: files(process)?, resident: status(process, "VmRSS:")? })
    }
}

/// Open file descriptors.
pub(super) fn files(process: u32) -> Result<usize> {
    let entries = std::fs::read_dir(format!("/proc/{process}/fd"));
    Ok(entries.with_context(|| format!("cannot count the files of process {process}"))?.count())
}

/// The largest resident set size so far, in bytes.
pub(super) fn peak(process: u32) -> Result<u64> {
    status(process, "VmHWM:")
}

/// Waits until no more than `base` files are open, at most `patience`; returns how many are.
pub(super) fn files_once_back_to(base: usize, process: u32, patience: Duration) -> Result<usize> {
    let deadline = Instant::now() + patience;
    loop {
        let now = files(process)?;
        if now <= base || Instant::now() > deadline {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn status(process: u32, key: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))
        .with_context(|| format!("cannot read the status of process {process}"))?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next());
    let kilobytes = kilobytes.with_context(|| format!("process {process} has no {key} (it has ended)"))?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

/// The last `length` bytes of a file, as text to look through.
pub(super) fn tail(path: &Path, length: u64) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let begin = file.metadata()?.len().saturating_sub(length);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How resident memory moves: the straight line of least squares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Slope {
    pub(super) bytes_per_hour: f64,
    /// Half of the interval that holds the true slope with 95 %, were the samples independent. They are not quite, so
    /// the truth is a little wider.
    pub(super) uncertainty: f64,
    pub(super) samples: usize,
    /// What came before is warm-up, in seconds.
    pub(super) after_s: f64,
}

impl Slope {
    /// `None` where too few samples came after the warm-up (a quarter of the time, at most two minutes) to tell.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let warm_up = (samples.last()?.at / 4).min(Duration::from_mins(2));
        let points: Vec<_> = samples
            .iter()
            .filter(|sample| sample.at >= warm_up)
            .map(|sample| (sample.at.as_secs_f64() / 3600.0, sample.resident as f64))
            .collect();
        let number = points.len() as f64;
        if points.len() < 5 {
            return None;
        }
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / number;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / number;
        let spread = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
        if spread == 0.0 {
            return None;
        }
        let slope = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
        let error = |(x, y): &(f64, f64)| (y - mean_y - slope * (x - mean_x)).powi(2);
        let residual = points.iter().map(error).sum::<f64>() / (number - 2.0);
        Some(Self {
            bytes_per_hour: slope,
            uncertainty: 1.96 * (residual / spread).sqrt(),
            samples: points.len(),
            after_s: warm_up.as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(resident: impl Fn(u64) -> u64) -> Vec<Sample> {
        let at = |second| Sample { at: Duration::from_secs(second), files: 9, resident: resident(second) };
        (0..3600).step_by(10).map(at).collect()
    }

    #[test]
    fn a_leak_is_measured_and_what_warms_up_is_left_out() {
        // 1 KiB a second, after ten seconds in which the memory doubles.
        let slope = Slope::of(&samples(|second| if second < 100 { 1 } else { 1 << 20 } + second * 1024));
        let slope = slope.expect("there are enough samples");
        assert!((slope.bytes_per_hour - 3600.0 * 1024.0).abs() < 1.0, "{slope:?}");
        assert!(slope.uncertainty < 1.0, "{slope:?}");
        assert_eq!((slope.after_s, slope.samples), (120.0, 348));
    }

    #[test]
    fn noise_without_a_trend_is_zero_within_its_uncertainty() {
        let mut rng = fastrand::Rng::with_seed(1);
        let noise: Vec<_> = (0..3600).map(|_| rng.u64(0..1 << 20)).collect();
        let slope = Slope::of(&samples(|second| (8 << 20) + noise[second as usize])).expect("samples");
        assert!(slope.bytes_per_hour.abs() < slope.uncertainty, "{slope:?}");
        assert!(slope.uncertainty > 10_000.0, "{slope:?}");
    }

    #[test]
    fn too_few_samples_have_no_slope() {
        assert_eq!(Slope::of(&samples(|_| 1)[..4]), None);
        assert_eq!(Slope::of(&[]), None);
    }

    #[test]
    fn an_open_file_is_counted_and_the_wait_for_its_end_is_bounded() {
        let own = std::process::id();
        let base = files(own).expect("our own files");
        let opened: Vec<_> = (0..50).map(|_| File::open("/proc/self/stat").expect("a file")).collect();
        // Other tests of this process open and close a few at the same time.
        let now = files_once_back_to(base, own, Duration::from_millis(50)).expect("our own files");
        assert!(now >= base + 25, "{now} after {base}");
        drop(opened);
        assert!(files_once_back_to(base + 25, own, Duration::from_secs(20)).expect("ours") <= base + 25);
    }

    #[test]
    fn the_tail_of_a_file_is_its_last_bytes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "first\nlast\n").expect("a file");
        assert_eq!(tail(file.path(), 5).expect("a tail"), "last\n");
        assert_eq!(tail(file.path(), 500).expect("a tail"), "first\nlast\n");
    }
}
