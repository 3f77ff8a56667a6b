//! Round trips of short lines, and the kernel's own figures.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use echoline_sys::tcp_info;

use super::exact::read_exact_until;
use super::time::micros;
use crate::cancel::Cancel;
use crate::evidence::Timing;

const ROUND_TRIPS: usize = 20;
/// All of them together; on a slow way there are fewer.
const BUDGET: Duration = Duration::from_secs(1);
const LINE: &[u8] = b"round trip\n";

/// Sends a short line again and again, each once the one before is back. And whether it was told of a reset: the system
/// tells it once.
pub(super) fn measure(stream: &TcpStream, patience: Duration, cancel: &Cancel) -> (Option<Timing>, bool) {
    let begin = Instant::now();
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    let mut output = stream;
    let mut reset = false;
    while times.len() < ROUND_TRIPS && begin.elapsed() < BUDGET {
        let sent = Instant::now();
        let mut back = [0; LINE.len()];
        let answer = |()| read_exact_until(stream, &mut back, sent + patience, cancel);
        let echoed = output.write_all(LINE).and_then(answer);
        reset = echoed.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        if echoed.is_err() || back != LINE {
            break;
        }
        times.push(micros(sent.elapsed()));
    }
    (summed(stream, times, begin), reset)
}

fn summed(stream: &TcpStream, mut times: Vec<u64>, begin: Instant) -> Option<Timing> {
    let mut timing = of_kernel(stream)?;
    timing.jitter_us = jitter(&times);
    timing.round_trips = times.len();
    times.sort_unstable();
    (timing.min_us, timing.p50_us, timing.p99_us) =
        (times.first().copied(), percentile(&times, 50), percentile(&times, 99));
    timing.took_us = micros(begin.elapsed());
    Some(timing)
}

/// Without sending anything.
pub(super) fn of_kernel(stream: &TcpStream) -> Option<Timing> {
    let info = tcp_info(stream).ok()?;
    Some(Timing {
        round_trips: 0,
        min_us: None,
        p50_us: None,
        p99_us: None,
        jitter_us: None,
        kernel_rtt_us: micros(info.round_trip),
        segments_sent_again: info.total_sent_again,
        took_us: 0,
    })
}

/// Nearest rank, of sorted times.
fn percentile(times: &[u64], percent: usize) -> Option<u64> {
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

/// The mean difference of neighbours, in the order in which they were measured.
fn jitter(times: &[u64]) -> Option<u64> {
    let sum: u64 = times.windows(2).map(|pair| pair[0].abs_diff(pair[1])).sum();
    sum.checked_div(u64::try_from(times.len()).ok()?.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_round_trip_that_drips_back_takes_no_longer_than_one_answer_may() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The whole line takes 11 seconds; the client may leave before.
            for byte in LINE {
                std::thread::sleep(Duration::from_secs(1));
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
            }
        });
        let begin = Instant::now();
        let timing = measure(&stream, Duration::from_millis(1500), &Cancel::new()).0.unwrap();
        assert_eq!((timing.round_trips, timing.min_us), (0, None));
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
        drop(stream);
        dripping.join().unwrap();
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times: Vec<u64> = (1..=20).collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 99)), (Some(10), Some(20)));
        assert_eq!((percentile(&[7], 50), percentile(&[], 50)), (Some(7), None));
    }

    #[test]
    fn jitter_is_the_mean_step_from_one_to_the_next() {
        assert_eq!(jitter(&[10, 30, 20]), Some(15));
        assert_eq!((jitter(&[10]), jitter(&[])), (None, None));
    }
}
