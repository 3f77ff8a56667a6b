//! The limits of one session: progress in both directions, and memory that the server takes back.

use std::num::{NonZeroU64, NonZeroUsize};

use super::*;
use crate::config::LongLines;
use crate::service::{Echo, EchoBytes, LineService, Lines};

const INTERVAL: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_secs(60);
const LEAST: u64 = 100;
const MAX_LINE: usize = 1000;
const CAP: usize = 200;

fn session(service: impl Service + 'static) -> (Session, Instant) {
    let least = MinProgress { bytes: NonZeroU64::new(LEAST).unwrap(), interval: INTERVAL };
    session_that(Some(least), None, service)
}

fn session_that(
    min_progress: Option<MinProgress>,
    idle_timeout: Option<Duration>,
    service: impl Service + 'static,
) -> (Session, Instant) {
    let limits = SessionLimits { max_pending_output: CAP, min_progress, idle_timeout, linger: LINGER };
    let now = Instant::now();
    (Session::new(Box::new(service), Arc::new(limits), now), now)
}

fn echo(long_lines: LongLines) -> Echo {
    Echo::new(NonZeroUsize::new(MAX_LINE).unwrap(), long_lines)
}

/// The kernel takes all of it.
fn sent_all(session: &mut Session, batch: Option<Batch>, source: &[u8], now: Instant) -> Vec<u8> {
    let batch = batch.expect("something to send");
    let bytes = [&batch.held[..], &source[batch.input.clone()]].concat();
    assert!(session.on_sent(batch, source, Ok(bytes.len()), now).is_none());
    bytes
}

/// The kernel takes so much of it, and has so much unacknowledged then.
fn sent_part(
    session: &mut Session,
    batch: Option<Batch>,
    source: &[u8],
    taken: usize,
    queued: u64,
    now: Instant,
) {
    assert!(!session.waits_for_reader());
    let batch = batch.expect("something to send");
    assert!(taken < batch.len());
    assert!(session.on_sent(batch, source, Ok(taken), now).is_none());
    assert!(session.waits_for_reader());
    session.on_waiting_for_reader(queued);
}

#[test]
fn a_line_that_does_not_come_on_ends_as_slow() {
    let (mut session, start) = session(echo(LongLines::Pass));
    for second in 0..10 {
        let now = start + Duration::from_secs(second);
        session.on_time(0, now);
        assert_eq!(session.wants(), Wants::Events { read: true });
        assert!(session.on_input(b"x", now).is_none());
    }
    assert_eq!(session.deadline(), Some(start + INTERVAL));
    session.on_time(0, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Close(Ending::Slow));
}

#[test]
fn a_line_that_comes_on_fast_enough_may_take_as_long_as_it_likes() {
    let (mut session, start) = session(echo(LongLines::Pass));
    session.on_input(b"a", start);
    let mut line = 1;
    for n in 1..=8_u32 {
        let now = start + INTERVAL * n;
        // The byte that began the line is not of the first interval; what is asked is this much more.
        session.on_input(&[b'a'; LEAST as usize], now);
        line += LEAST as usize;
        session.on_time(0, now);
    }
    let end = start + INTERVAL * 9;
    let batch = session.on_input(b"\n", end);
    assert_eq!(sent_all(&mut session, batch, b"\n", end).len(), line + 1);
}

#[test]
fn whole_lines_may_be_as_rare_as_they_like() {
    let (mut session, start) = session(echo(LongLines::Pass));
    for n in 0..5 {
        let now = start + 3 * INTERVAL * n;
        session.on_time(0, now);
        let batch = session.on_input(b"a\n", now);
        sent_all(&mut session, batch, b"a\n", now);
        assert_eq!(session.deadline(), None);
    }
}

#[test]
fn the_line_behind_a_whole_one_has_an_interval_of_its_own() {
    let (mut session, start) = session(echo(LongLines::Pass));
    session.on_input(b"a", start);
    let later = start + INTERVAL / 2;
    let batch = session.on_input(b"\nb", later);
    sent_all(&mut session, batch, b"\nb", later);
    assert_eq!(session.deadline(), Some(later + INTERVAL));
}

#[test]
fn whatever_a_service_answers_its_line_is_another_from_then_on() {
    struct Holds(fn(&mut Out<'_>));
    impl Service for Holds {
        fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
            if input == b"answer" {
                self.0(out);
            }
            input.len()
        }
        fn held(&self) -> usize {
            1
        }
    }
    let answers: [fn(&mut Out<'_>); 3] =
        [|out| out.count_lines(1), |out| out.echo(0..1), |out| out.write(b"own")];
    for answer in answers {
        let (mut session, start) = session(Holds(answer));
        session.on_input(b"begun", start);
        let later = start + INTERVAL / 2;
        session.on_input(b"goes on", later);
        assert_eq!(session.deadline(), Some(start + INTERVAL));
        session.on_input(b"answer", later);
        assert_eq!(session.deadline(), Some(later + INTERVAL));
    }
}

#[test]
fn reading_stops_at_the_cap_of_pending_output() {
    for (pending, read) in [(CAP - 1, true), (CAP, false)] {
        let (mut session, now) = session(EchoBytes::default());
        session.on_input(&vec![7; pending], now);
        assert_eq!(session.wants(), Wants::Events { read });
    }
}

#[test]
fn the_end_of_input_ends_the_wait_for_a_line() {
    let (mut session, start) = session(echo(LongLines::Pass));
    session.on_input(b"tail", start);
    let batch = session.on_end_of_input(start);
    assert_eq!(sent_all(&mut session, batch, &[], start), b"tail");
    assert_eq!(session.wants(), Wants::Close(Ending::Done));
}

#[test]
fn a_reader_who_takes_nothing_ends_as_slow() {
    let (mut session, start) = session(EchoBytes::default());
    let batch = session.on_input(&[7; 300], start);
    sent_part(&mut session, batch, &[7; 300], 50, 50, start);
    assert_eq!(session.deadline(), Some(start + INTERVAL));
    session.on_time(50, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Close(Ending::Slow));
}

#[test]
fn what_is_acknowledged_counts_even_while_the_kernel_takes_no_more() {
    let (mut session, start) = session(EchoBytes::default());
    let batch = session.on_input(&[7; 300], start);
    sent_part(&mut session, batch, &[7; 300], 290, 290, start);
    session.on_time(290 - LEAST, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Events { read: true });
    // In the second interval it is one byte short.
    session.on_time(290 - LEAST - (LEAST - 1), start + 2 * INTERVAL);
    assert_eq!(session.wants(), Wants::Close(Ending::Slow));
}

#[test]
fn what_the_kernel_takes_does_not_count_until_it_is_acknowledged() {
    let (mut session, start) = session(EchoBytes::default());
    let batch = session.on_input(&[7; 500], start);
    sent_part(&mut session, batch, &[7; 500], 50, 50, start);
    let batch = session.on_writable(start).expect("the rest");
    assert!(session.on_sent(batch, &[], Ok(LEAST as usize + 100), start).is_none());
    session.on_time(50 + LEAST + 100, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Close(Ending::Slow));
}

#[test]
fn a_reader_who_has_caught_up_owes_nothing() {
    let (mut session, start) = session(EchoBytes::default());
    let batch = session.on_input(&[7; 300], start);
    sent_part(&mut session, batch, &[7; 300], 50, 50, start);
    let batch = session.on_writable(start);
    sent_all(&mut session, batch, &[], start);
    assert!(!session.waits_for_reader());
    assert_eq!(session.deadline(), None);
}

#[test]
fn a_slow_reader_of_the_last_bytes_is_cut_off() {
    let (mut session, start) = session(EchoBytes::default());
    let batch = session.on_input(&[7; 300], start);
    sent_part(&mut session, batch, &[7; 300], 50, 50, start);
    session.finish(Ending::Drained, start);
    session.on_time(50, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Close(Ending::CutOff));
}

#[test]
fn a_reader_is_not_idle_while_it_takes_what_the_kernel_has_for_it() {
    let (mut session, start) = session_that(None, Some(INTERVAL), EchoBytes::default());
    let batch = session.on_input(&[7; 300], start);
    sent_part(&mut session, batch, &[7; 300], 150, 150, start);
    // The kernel takes nothing more for as long as a third of its buffer is not free.
    for n in 1..=10_u32 {
        let now = start + INTERVAL * n;
        assert_eq!(session.deadline(), Some(now));
        session.on_time(150 - u64::from(n), now);
        assert_eq!(session.wants(), Wants::Events { read: true });
    }
    session.on_time(140, start + INTERVAL * 11);
    assert_eq!(session.wants(), Wants::Close(Ending::Idle));
}

#[test]
fn who_is_refused_has_the_time_to_read_why_but_not_longer_than_it_lasts() {
    let (mut session, start) = session_that(None, None, echo(LongLines::Close));
    let input = [&[b'a'; 150][..], b"\n", &[b'b'; MAX_LINE + 1]].concat();
    let batch = session.on_input(&input, start);
    sent_part(&mut session, batch, &input, 100, 100, start);
    let later = start + LINGER;
    session.on_time(99, later);
    assert_eq!(session.wants(), Wants::Events { read: true });
    session.on_time(99, later + LINGER);
    assert_eq!(session.wants(), Wants::Close(Ending::CutOff));
}

#[test]
fn a_line_that_we_do_not_let_come_on_is_not_slow() {
    let (mut session, start) = session(echo(LongLines::Pass));
    let input = [&[b'a'; 4 * CAP][..], b"\nbegun"].concat();
    let batch = session.on_input(&input, start);
    sent_part(&mut session, batch, &input, 1, 1, start);
    for n in 1..=3_u32 {
        // The reader takes enough in each interval, and the cap is never left.
        let batch = session.on_writable(start).expect("the rest");
        assert!(session.on_sent(batch, &[], Ok(LEAST as usize), start).is_none());
        session.on_time(0, start + INTERVAL * n);
        assert_eq!(session.wants(), Wants::Events { read: false });
    }
    session.on_time(0, start + INTERVAL * 4);
    assert_eq!(session.wants(), Wants::Close(Ending::Slow), "now it is the reader who took too little");
}

#[test]
fn a_line_that_is_not_waited_for_any_more_is_not_owed() {
    let (mut session, start) = session(echo(LongLines::Pass));
    session.on_input(b"begun", start);
    session.finish(Ending::Drained, start);
    assert_eq!(session.wants(), Wants::ShutOutput);
    session.on_output_shut(start);
    assert_eq!(session.deadline(), Some(start + LINGER));
    session.on_time(0, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Events { read: true });
    session.on_time(0, start + LINGER);
    assert_eq!(session.wants(), Wants::Close(Ending::Drained));
}

#[test]
fn a_line_is_not_slow_while_its_client_reads_fast_enough_what_waits_for_it() {
    let (mut session, start) = session(echo(LongLines::Pass));
    let input = b"whole\nbegun";
    let batch = session.on_input(input, start);
    sent_part(&mut session, batch, input, 1, 1, start);
    // Little waits, so the session would read; an engine that sends from its only buffer does not.
    assert_eq!(session.wants(), Wants::Events { read: true });
    session.sent += LEAST;
    session.on_time(1, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Events { read: true });
    assert_eq!(session.deadline(), Some(start + 2 * INTERVAL));
}

#[test]
fn relief_passes_the_line_on_and_the_next_one_is_held_again() {
    let (mut session, now) = session(echo(LongLines::Pass));
    assert!(session.on_input(b"so f", now).is_none());
    assert!(session.buffered() >= 4);
    let batch = session.relieve(now);
    assert_eq!(session.buffered(), 0, "what is being sent to a client that keeps up is not counted");
    assert_eq!(sent_all(&mut session, batch, &[], now), b"so f");
    assert_eq!(session.deadline(), None, "what is passed on is not waited for");
    let batch = session.on_input(b"ar\nne", now);
    assert_eq!(sent_all(&mut session, batch, b"ar\nne", now), b"ar\n");
    assert!(session.on_input(b"x", now).is_none());
    assert!(session.goes_on());
}

#[test]
fn a_line_that_could_not_come_on_has_its_time_once_it_can() {
    let (mut session, start) = session(echo(LongLines::Pass));
    let input = [&[b'a'; 2 * CAP][..], b"\nbegun"].concat();
    let batch = session.on_input(&input, start);
    sent_part(&mut session, batch, &input, 1, 1, start);
    assert_eq!(session.wants(), Wants::Events { read: false });
    // The reader takes all of it just before the line would be judged.
    let late = start + INTERVAL - Duration::from_millis(1);
    let batch = session.on_writable(late);
    sent_all(&mut session, batch, &[], late);
    assert_eq!((session.wants(), session.waits_for_reader()), (Wants::Events { read: true }, false));
    session.on_time(0, start + INTERVAL);
    assert_eq!(session.wants(), Wants::Events { read: true });
    session.on_time(0, late + INTERVAL);
    assert_eq!(session.wants(), Wants::Close(Ending::Slow));
}

#[test]
fn relief_ends_who_does_not_read() {
    let (mut session, now) = session(echo(LongLines::Pass));
    let input = [&[b'a'; CAP][..], b"\nbegun"].concat();
    let batch = session.on_input(&input, now);
    sent_part(&mut session, batch, &input, 1, 1, now);
    assert!(session.buffered() >= CAP + 5);
    assert!(session.relieve(now).is_none(), "the line joins the output that waits");
    assert!(session.goes_on() && session.buffered() >= CAP + 5);
    assert!(session.relieve(now).is_none());
    assert_eq!(session.wants(), Wants::Close(Ending::Memory));
    assert_eq!(session.buffered(), 0);
}

#[test]
fn what_is_sent_to_a_client_that_does_not_keep_up_is_counted() {
    let (mut session, now) = session(EchoBytes::default());
    let batch = session.on_input(&[7; 150], now);
    assert_eq!(session.buffered(), 0);
    sent_part(&mut session, batch, &[7; 150], 50, 50, now);
    assert_eq!(session.buffered(), 100);
    let batch = session.on_writable(now).expect("the rest");
    assert_eq!((batch.len(), session.buffered()), (100, 100));
}

#[test]
fn where_long_lines_close_so_does_relief() {
    let (mut session, now) = session(echo(LongLines::Close));
    session.on_input(b"held", now);
    assert!(session.relieve(now).is_none());
    assert!(!session.goes_on());
    assert_eq!((session.wants(), session.buffered()), (Wants::ShutOutput, 0));
    session.on_end_of_input(now);
    assert_eq!(session.wants(), Wants::Close(Ending::Memory));
}

#[test]
fn a_line_service_has_the_last_word_when_its_line_is_taken() {
    struct Sorry;
    impl LineService for Sorry {
        fn on_line(&mut self, _line: &[u8], _out: &mut Out<'_>) {}
        fn on_long_line(&mut self, out: &mut Out<'_>) {
            out.write(b"too much\n");
        }
    }
    let (mut session, now) = session(Lines::new(NonZeroUsize::new(MAX_LINE).unwrap(), Sorry));
    session.on_input(b"held", now);
    assert!(session.buffered() >= 4);
    let batch = session.relieve(now);
    assert_eq!(sent_all(&mut session, batch, &[], now), b"too much\n");
    session.on_end_of_input(now);
    assert_eq!(session.wants(), Wants::Close(Ending::Memory));
}

#[test]
fn a_service_that_lets_go_of_nothing_is_closed() {
    struct Hoards(Vec<u8>);
    impl Service for Hoards {
        fn on_input(&mut self, input: &[u8], _out: &mut Out<'_>) -> usize {
            self.0.extend_from_slice(input);
            input.len()
        }
        fn held(&self) -> usize {
            self.0.len()
        }
    }
    let (mut session, now) = session(Hoards(Vec::new()));
    session.on_input(b"held", now);
    assert!(session.relieve(now).is_none());
    assert_eq!((session.wants(), session.buffered()), (Wants::Close(Ending::Memory), 0));
}

#[test]
fn a_line_that_is_too_long_counts_once_in_however_many_pieces_it_comes() {
    let (mut session, now) = session(echo(LongLines::Pass));
    let mut long_lines = Vec::new();
    for piece in [&[b'a'; MAX_LINE][..], b"goes on", b" and ends\n", &[b'b'; MAX_LINE + 1]] {
        let batch = session.on_input(piece, now);
        sent_all(&mut session, batch, piece, now);
        long_lines.push(session.take_tally().long_lines);
    }
    assert_eq!(long_lines, [1, 0, 0, 1]);
}

#[test]
fn a_client_that_leaves_the_cap_unread_is_held_up_once_until_it_reads() {
    let (mut session, now) = session(EchoBytes::default());
    let batch = session.on_input(&[7; CAP + 1], now);
    assert!(!session.was_held_up(), "it may read all of it at once");
    sent_part(&mut session, batch, &[7; CAP + 1], 1, 1, now);
    assert_eq!([session.was_held_up(), session.was_held_up()], [true, false]);
    let batch = session.on_writable(now);
    sent_all(&mut session, batch, &[], now);
    assert!(!session.was_held_up());
    let batch = session.on_input(&[7; CAP + 1], now);
    sent_part(&mut session, batch, &[7; CAP + 1], 1, 1, now);
    assert!(session.was_held_up());
}

#[test]
fn who_has_been_told_the_end_and_leaves_it_unread_is_not_asked_for_its_line() {
    /// Ends the conversation in the middle of a line.
    struct Ends(Vec<u8>);
    impl Service for Ends {
        fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
            self.0.extend_from_slice(input);
            out.write(&[b'x'; CAP]);
            out.finish();
            input.len()
        }
        fn held(&self) -> usize {
            self.0.len()
        }
        fn on_pressure(&mut self, out: &mut Out<'_>) {
            out.write(&std::mem::take(&mut self.0));
        }
    }
    let (mut session, now) = session(Ends(Vec::new()));
    let batch = session.on_input(b"held", now);
    sent_part(&mut session, batch, &[], 1, 1, now);
    assert!(session.relieve(now).is_none());
    assert_eq!((session.wants(), session.buffered()), (Wants::Close(Ending::Memory), 0));
}

#[test]
fn a_job_under_way_is_known_by_its_ticket_until_it_is_done() {
    struct Thinks;
    impl Service for Thinks {
        fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
            out.compute(|| b"thought\n".to_vec());
            input.len()
        }
        fn on_computed(&mut self, result: Vec<u8>, out: &mut Out<'_>) {
            out.write_vec(result);
        }
    }
    let (mut session, now) = session(Thinks);
    assert!(session.on_input(b"think\n", now).is_none());
    let job = session.take_job().expect("a job");
    assert_eq!(session.ticket(), None);
    let pool = crate::compute::Pool::new(1);
    let (deliver, result) = std::sync::mpsc::channel();
    let ticket = pool.run(job, Box::new(move |result| deliver.send(result).unwrap()));
    session.on_job_queued(ticket);
    assert!(ticket.is_some() && session.ticket() == ticket);
    let batch = session.on_computed(result.recv().unwrap(), now);
    assert_eq!(sent_all(&mut session, batch, &[], now), b"thought\n");
    assert_eq!(session.ticket(), None);
    pool.stop();
}
